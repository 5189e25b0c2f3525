import { advanceRun } from '../operations/claims.ts';
import type { Tool } from '../tools/tool.ts';
import { callTool } from './call-tool.ts';
import { type AskedCall, messageRow, toolMessage } from './goal-messages.ts';
import type { GoalState } from './goal-state.ts';
import { finishGoalStep, startGoalStep } from './goal-step.ts';

/** Tools that may leave files under `artifacts/`. */
const writing: ReadonlySet<string> = new Set(['code', 'file']);

async function refuse(state: GoalState, call: AskedCall, reason: string): Promise<void> {
  const message = toolMessage(call, { value: reason, failed: true });
  const messages = [messageRow(state.messages.length, message)];
  await advanceRun(state.context.database, { ...state.context.claim, messages, events: [] });
  state.messages.push(message);
}

async function perform(
  state: GoalState,
  call: AskedCall,
  tool: Tool,
  input: Record<string, unknown>,
  key: string,
) {
  const { context } = state;
  const step = await startGoalStep(state, {
    key,
    tool: tool.type,
    name: tool.name,
    input,
    required: false,
    worstCase: tool.estimate(input),
  });
  const keep = writing.has(tool.type) ? ('folder' as const) : [];
  const { signal } = context;
  const { result, artifacts, durationMs } = await callTool(context, {
    stepId: step.stepId,
    tool,
    input,
    keep,
    signal,
  });
  const { failure, output, usage } = result;
  const value = failure ? { error: failure.message, output } : output;
  const message = toolMessage(call, { value, failed: failure !== undefined });
  await finishGoalStep(state, step, {
    output,
    usage,
    durationMs,
    error: failure ?? null,
    messages: [messageRow(state.messages.length, message, { stepId: step.stepId })],
    artifacts,
  });
  state.messages.push(message);
}

/**
 * Does what the model asked for and answers it. The step's key names the place of the question, so a successor finds
 * the step that was in flight: an execution is attached to by its id, never started twice.
 */
export async function runAskedCall(
  state: GoalState,
  call: AskedCall,
  asked: number,
  place: number,
): Promise<void> {
  const tool = state.context.tools.find(call.toolName);
  if (!tool?.offered || tool.unavailable() !== null) {
    await refuse(state, call, `there is no tool "${call.toolName}"`);
    return;
  }
  const parsed = tool.input.safeParse(call.input);
  if (!parsed.success || typeof call.input !== 'object' || call.input === null) {
    const issues = parsed.error?.issues ?? [];
    const detail = issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
    await refuse(state, call, `the input of "${call.toolName}" is not valid: ${detail || 'not an object'}`);
    return;
  }
  await perform(state, call, tool, { ...call.input }, `call-${asked}-${place}`);
}
