import { generateText, type ModelMessage, type ToolSet, tool } from 'ai';
import type { Tool } from '../tools/tool.ts';
import { assistantMessage, messageRow, openingMessage, toModelMessages } from './goal-messages.ts';
import type { GoalState } from './goal-state.ts';
import { finishGoalStep, startGoalStep } from './goal-step.ts';
import { describeModelFailure, estimateCall, usageOfCall } from './models.ts';
import { RunFailed } from './stops.ts';

const instructions =
  'You are an agent that reaches the user’s goal by working in a sandbox with the tools you are given. ' +
  'Look before you act, check results by running them, and correct what fails. Keep files that the user should ' +
  'get under artifacts/ of the workspace. When the goal is reached, or cannot be, answer in words without calling a ' +
  'tool: what you did, what came out, and which artifacts to look at.';

/** The tools that a model may call, without anything that would run them: the loop does that. */
function offer(tools: readonly Tool[]): ToolSet {
  const offered = tools.filter((candidate) => candidate.offered && candidate.unavailable() === null);
  return Object.fromEntries(
    offered.map((candidate) => [
      candidate.name,
      tool({ description: candidate.description, inputSchema: candidate.input }),
    ]),
  );
}

/** One call of the model: its answer, or what to tell the user. @throws RunStopped when the run is stopped */
async function ask({ context, model }: GoalState, messages: ModelMessage[]) {
  const { signal } = context;
  const timeout = AbortSignal.timeout(model.timeoutMs);
  try {
    const { text, toolCalls, usage, finishReason } = await generateText({
      model: model.model,
      instructions,
      messages,
      tools: offer(context.tools.list()),
      maxOutputTokens: model.maxOutputTokens,
      maxRetries: 2,
      abortSignal: AbortSignal.any([signal, timeout]),
    });
    const calls = toolCalls.map(({ toolCallId, toolName, input }) => ({
      toolCallId,
      toolName,
      input: input ?? null,
    }));
    return { kind: 'answer' as const, text, calls, usage, finishReason };
  } catch (error) {
    signal.throwIfAborted();
    const failure = timeout.aborted
      ? {
          code: 'model_timeout',
          message: `the model did not answer within ${model.timeoutMs / 1_000} seconds`,
        }
      : describeModelFailure(error);
    return { kind: 'failure' as const, failure };
  }
}

/**
 * Asks the model for its next move and writes the answer into the conversation. A call that was interrupted is made
 * again under the same step.
 * @throws RunFailed with the model's failure
 */
export async function callModel(state: GoalState): Promise<void> {
  const { context, model, messages } = state;
  const { clock } = context;
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
  const promptBytes = Buffer.byteLength(JSON.stringify(prompt)) + Buffer.byteLength(instructions) + 1_500;
  const step = await startGoalStep(
    state,
    {
      key,
      tool: 'llm',
      name: model.name,
      input: { messages: index },
      required: true,
      worstCase: estimateCall(model, promptBytes),
    },
    opening.map((message, place) => messageRow(place, message)),
  );
  const startedAt = clock.monotonicMs();
  const answer = await ask(state, prompt);
  const durationMs = Math.round(clock.monotonicMs() - startedAt);
  if (answer.kind === 'failure') {
    const { failure } = answer;
    await finishGoalStep(state, step, {
      output: null,
      usage: [],
      durationMs,
      error: failure,
      messages: [],
      artifacts: [],
    });
    throw new RunFailed(failure.code, failure.message);
  }
  const { text, calls, usage } = answer;
  const message = assistantMessage(text, calls);
  const { inputTokens = 0, outputTokens = 0 } = usage;
  await finishGoalStep(state, step, {
    output: { text, tool_calls: calls.length, finish_reason: answer.finishReason },
    usage: usageOfCall(model, usage),
    durationMs,
    error: null,
    messages: [messageRow(index, message, { stepId: step.stepId, inputTokens, outputTokens })],
    artifacts: [],
  });
  messages.push(message);
  state.modelCalls += 1;
}
