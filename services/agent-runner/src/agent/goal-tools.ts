import { allowsTool } from '../domain/mode.ts';
import { SandboxError } from '../sandbox/errors.ts';
import type { Tool, ToolEffect } from '../tools/tool.ts';
import { advance } from './advance.ts';
import { type CallOutcome, callTool } from './call-tool.ts';
import { type AskedCall, maxResultCharacters, messageRow, toolMessage } from './goal-messages.ts';
import { append, type GoalState } from './goal-state.ts';
import { finishGoalStep, type StartedStep, startGoalStep } from './goal-step.ts';
import type { PlacedCall } from './goal-turns.ts';
import type { RunContext } from './run-context.ts';

/** Tools that work in the sandbox: they may leave files under `artifacts/`, and long results can be kept there. */
const inSandbox: ReadonlySet<string> = new Set(['code', 'file', 'browser', 'image']);

/** A call that may be made. */
interface Ready {
  readonly call: AskedCall;
  readonly key: string;
  readonly tool: Tool;
  readonly input: Record<string, unknown>;
  readonly effect: ToolEffect;
}

/** A call that may not, and what the model is told instead. */
interface Refused {
  readonly call: AskedCall;
  readonly refusal: string;
}

/** Checks a call against the mode, the tools here and the tool's own schema: the model's word alone counts for nothing. */
function check({ tools, mode }: RunContext, { call, place }: PlacedCall, asked: number): Ready | Refused {
  const tool = tools.find(call.toolName);
  if (!tool?.offered || !allowsTool(mode, tool)) {
    return { call, refusal: `there is no tool "${call.toolName}"` };
  }
  const reason = tool.unavailable();
  if (reason !== null) return { call, refusal: `the tool "${tool.name}" cannot be used now: ${reason}` };
  const parsed = tool.input.safeParse(call.input);
  if (!parsed.success || typeof call.input !== 'object' || call.input === null) {
    const issues = parsed.error?.issues ?? [];
    const detail = issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
    return { call, refusal: `the input of "${call.toolName}" is not valid: ${detail || 'not an object'}` };
  }
  const effect = tool.effectOf?.(parsed.data) ?? tool.effect;
  return { call, key: `call-${asked}-${place}`, tool, input: { ...call.input }, effect };
}

async function refuse(state: GoalState, { call, refusal }: Refused): Promise<void> {
  const entry = append(state, toolMessage(call, { text: refusal, failed: true }));
  const { context } = state;
  await advance(context, { ...context.claim, messages: [messageRow(entry)], events: [] });
}

/** Puts a result that is too long for the model where the model can read it; undefined where there is no such place. */
async function keepWhole(context: RunContext, ready: Ready, text: string): Promise<string | undefined> {
  if (text.length <= maxResultCharacters || !inSandbox.has(ready.tool.type)) return undefined;
  const path = `outputs/${ready.key}.txt`;
  try {
    const session = await context.workspace.session();
    await session.putFile(path, Buffer.from(text, 'utf8'));
    return `the file ${path} of the workspace`;
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof SandboxError)) throw error;
    context.log.warn({ err: error }, 'a long result could not be kept in the workspace');
    return undefined;
  }
}

async function finish(
  state: GoalState,
  ready: Ready,
  step: StartedStep,
  outcome: CallOutcome,
): Promise<void> {
  const { result, artifacts, workspace, durationMs } = outcome;
  const { failure, output, usage } = result;
  const value = failure ? { error: failure.message, output } : output;
  const text = typeof value === 'string' ? value : JSON.stringify(value ?? null);
  const whole = await keepWhole(state.context, ready, text);
  const entry = append(state, toolMessage(ready.call, { text, failed: failure !== undefined, whole }));
  await finishGoalStep(state, step, {
    ...{ output, usage, durationMs, artifacts, workspace },
    error: failure ?? null,
    messages: [messageRow(entry, { stepId: step.stepId })],
  });
}

const start = (state: GoalState, { key, tool, input }: Ready) =>
  startGoalStep(state, {
    ...{ key, tool: tool.type, name: tool.name, input },
    required: false,
    worstCase: tool.estimate(input),
  });

/** Makes a call whose step has started and writes its end with its message. */
async function perform(
  state: GoalState,
  ready: Ready,
  step: StartedStep,
  signal: AbortSignal,
): Promise<void> {
  const { context } = state;
  const { tool, input, effect, call } = ready;
  const keep = inSandbox.has(tool.type) && effect !== 'read' ? ('folder' as const) : [];
  const outcome = await callTool(context, {
    ...{ stepId: step.stepId, askedId: call.toolCallId, tool, input, keep, signal },
    isFollowed: () => true,
  });
  await finish(state, ready, step, outcome);
}

/** Makes calls beside each other, so many at once at most. The first that breaks ends the others. */
async function beside(state: GoalState, calls: readonly Ready[]): Promise<void> {
  const { context } = state;
  const limit = Math.min(context.settings.maxParallelSteps, context.mode.limits.max_parallel_tools);
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const running = new Set<Promise<void>>();
  try {
    for (const ready of calls) {
      while (running.size >= limit) await Promise.race(running);
      context.waits.enter();
      // One after the other: each raises the hold, if need be, by what it lacks.
      const step = await start(state, ready);
      const work = perform(state, ready, step, signal)
        .then(context.waits.leave)
        .finally(() => running.delete(work));
      running.add(work);
    }
    await Promise.all(running);
  } finally {
    stop.abort();
    await Promise.allSettled(running);
  }
}

/**
 * Does what the model asked for and answers it: calls that only read beside each other, the others alone and in the
 * order in which they were asked for. A step's key names the place of the question, so a successor finds the step that
 * was in flight: an execution is attached to by its id, never started twice.
 */
export async function runAskedCalls(
  state: GoalState,
  calls: readonly PlacedCall[],
  asked: number,
): Promise<void> {
  let reading: Ready[] = [];
  for (const each of calls) {
    const checked = check(state.context, each, asked);
    if ('refusal' in checked) {
      await refuse(state, checked);
      continue;
    }
    if (checked.effect === 'read') {
      reading.push(checked);
      continue;
    }
    await beside(state, reading);
    reading = [];
    await beside(state, [checked]);
  }
  await beside(state, reading);
}
