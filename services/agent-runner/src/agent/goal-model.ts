import { type ToolSet, tool } from 'ai';
import { allowsTool } from '../domain/mode.ts';
import { usageOfTokens } from '../domain/model-tokens.ts';
import { dearestUsage } from '../domain/usage.ts';
import type { Tool } from '../tools/tool.ts';
import { askModel, type Outcome } from './ask-model.ts';
import { assistantMessage, messageRow, openingMessage, toModelMessages } from './goal-messages.ts';
import type { GoalState } from './goal-state.ts';
import { finishGoalStep, type StartedStep, startGoalStep } from './goal-step.ts';
import { worstCases } from './models.ts';
import type { RunContext } from './run-context.ts';
import { RunFailed } from './stops.ts';

/** The tools that the model of this run may call: of its mode, offered to models and usable here. */
function offeredTools({ tools, mode }: RunContext): readonly Tool[] {
  return tools.list().filter((each) => each.offered && allowsTool(mode, each) && each.unavailable() === null);
}

/** The tools for the model, without anything that would run them: the loop does that. */
function toolSet(tools: readonly Tool[]): ToolSet {
  return Object.fromEntries(
    tools.map(({ name, description, input }) => [name, tool({ description, inputSchema: input })]),
  );
}

/** Bytes that a tool takes of the prompt beside its description, about. */
const bytesPerTool = 700;

/** One question to the models of the run's mode; what they say goes out live. */
async function ask(
  state: GoalState,
  step: StartedStep,
  messages: ReturnType<typeof toModelMessages>,
): Promise<Outcome> {
  const { context, models } = state;
  const { run, claim, mode, deltas, signal, clock, log } = context;
  const live = deltas.open({ runId: run.id, stepId: step.stepId, attempt: claim.attempt });
  const { max_output_tokens: maxOutputTokens } = mode.limits;
  try {
    return await askModel({
      ...{ models: models.forMode(run.mode), retry: models.retry, messages },
      ...{ instructions: mode.instructions, tools: toolSet(offeredTools(context)) },
      ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }),
      ...{ runId: run.id, signal, clock, log, onText: live.add },
    });
  } finally {
    live.close();
  }
}

/**
 * Asks the model for its next move and writes the answer into the conversation. A call that was interrupted is made
 * again under the same step.
 * @throws RunFailed with the model's failure
 */
export async function callModel(state: GoalState): Promise<void> {
  const { context, models, messages } = state;
  const { clock, mode, budget, run } = context;
  const opening = messages.length === 0 ? [openingMessage(context)] : [];
  messages.push(...opening);
  const index = messages.length;
  const key = `model-${index}`;
  const failedBefore = state.known.get(key);
  if (failedBefore?.status === 'failed') {
    throw new RunFailed(
      failedBefore.error_code ?? 'model_error',
      failedBefore.error_message ?? 'the model call failed',
    );
  }
  const prompt = toModelMessages(messages);
  const tools = offeredTools(context);
  const promptBytes =
    Buffer.byteLength(JSON.stringify(prompt)) +
    Buffer.byteLength(mode.instructions) +
    tools.reduce((sum, { description }) => sum + description.length + bytesPerTool, 0);
  const candidates = models.forMode(run.mode);
  const cases = worstCases(candidates, promptBytes, mode.limits.max_output_tokens);
  const step = await startGoalStep(
    state,
    {
      key,
      tool: 'llm',
      name: candidates[0]?.name ?? 'llm',
      input: { messages: index },
      required: true,
      worstCase: dearestUsage(cases, budget.prices),
    },
    opening.map((message, place) => messageRow(place, message)),
  );
  const startedAt = clock.monotonicMs();
  const outcome = await ask(state, step, prompt);
  const durationMs = Math.round(clock.monotonicMs() - startedAt);
  if (outcome.kind === 'failure') {
    const { code, message } = outcome.failure;
    await finishGoalStep(state, step, {
      output: { tries: outcome.tries },
      usage: [],
      durationMs,
      error: { code, message },
      messages: [],
      artifacts: [],
    });
    throw new RunFailed(code, message);
  }
  const { text, calls, tokens, model, tries, finishReason } = outcome;
  const message = assistantMessage(text, calls);
  const inputTokens = tokens.input + tokens.cacheRead + tokens.cacheWrite;
  const { output: outputTokens } = tokens;
  await finishGoalStep(state, step, {
    output: { text, tool_calls: calls.length, finish_reason: finishReason, model: model.name, tries, tokens },
    usage: usageOfTokens(model, tokens),
    durationMs,
    error: null,
    messages: [messageRow(index, message, { stepId: step.stepId, inputTokens, outputTokens })],
    artifacts: [],
  });
  messages.push(message);
  state.modelCalls += 1;
}
