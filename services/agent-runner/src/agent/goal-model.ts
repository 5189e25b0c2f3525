import type { ToolSet } from 'ai';
import { allowsTool } from '../domain/mode.ts';
import { addTokens, usageOfTokens } from '../domain/model-tokens.ts';
import { dearestUsage, priceUsage } from '../domain/usage.ts';
import type { StepRow } from '../store/steps.ts';
import type { Tool } from '../tools/tool.ts';
import { askModel, type Outcome } from './ask-model.ts';
import { sumUp } from './goal-compact.ts';
import { assistantMessage, type GoalMessage, messageRow, openingMessage } from './goal-messages.ts';
import { append, type GoalState } from './goal-state.ts';
import { finishGoalStep, type StartedStep, startGoalStep } from './goal-step.ts';
import { placeAfter } from './goal-turns.ts';
import { fittingView, type View, type ViewLimits, viewOf } from './goal-view.ts';
import { overheadOf, toolSet } from './model-tools.ts';
import { worstCases } from './models.ts';
import type { RunContext } from './run-context.ts';
import { RunFailed } from './stops.ts';

/** OpenAI takes no more in one request; our own come before those of MCP servers. */
const mostTools = 128;

/** The tools that the model of this run may call: of its mode, offered to models and usable here. */
function offeredTools({ tools, mode }: RunContext): readonly Tool[] {
  return tools
    .list()
    .filter((each) => each.offered && allowsTool(mode, each) && each.unavailable() === null)
    .slice(0, mostTools);
}

/** Of what is free for the conversation. */
const softShare = 0.6;
/** Prompts that a provider refuses as too long, before the run gives up. */
const mostShortenings = 3;
/** What is left of a prompt that the provider called too long. */
const shorteningShare = 0.6;

/** What the smallest of the mode's models leaves for the conversation, beside the answer. */
function limitsOf({ context, models }: GoalState, overhead: number): ViewLimits {
  const { max_output_tokens: most = Number.POSITIVE_INFINITY } = context.mode.limits;
  const free = models
    .forMode(context.run.mode)
    .map(({ contextTokens, maxOutputTokens }) => contextTokens - Math.min(maxOutputTokens, most) - overhead);
  const hard = Math.max(Math.min(...free), 1_000);
  return { hard, soft: Math.floor(hard * softShare) };
}

/** A view that fits: short results first, then a summary, at last without the oldest parts. */
async function fit(state: GoalState, limits: ViewLimits): Promise<View> {
  const view = viewOf(state.log, limits);
  if (view.tokens <= limits.hard) return view;
  if (await sumUp(state, limits)) {
    const summed = viewOf(state.log, limits);
    if (summed.tokens <= limits.hard) return summed;
  }
  return fittingView(state.log, limits);
}

/** One question to the models of the run's mode; what they say goes out live. */
async function ask(
  state: GoalState,
  step: StartedStep,
  tools: ToolSet,
  { messages }: View,
): Promise<Outcome> {
  const { context, models } = state;
  const { run, claim, mode, deltas, signal, clock, log } = context;
  const live = deltas.open({ runId: run.id, stepId: step.stepId, attempt: claim.attempt });
  const { max_output_tokens: maxOutputTokens } = mode.limits;
  try {
    return await askModel({
      ...{ models: models.forMode(run.mode), retry: models.retry, messages },
      ...{ instructions: mode.instructions, tools },
      ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }),
      ...{ runId: run.id, signal, clock, log, onText: live.add },
      priceOf: (model, tokens) => priceUsage(usageOfTokens(model, tokens), context.budget.prices),
    });
  } finally {
    live.close();
  }
}

/** Asks, and again with less when the provider says that it was too much. */
async function askWithin(
  state: GoalState,
  step: StartedStep,
  tools: ToolSet,
  first: { readonly view: View; readonly limits: ViewLimits },
): Promise<Outcome> {
  let { view, limits } = first;
  let outcome = await ask(state, step, tools, view);
  for (let tried = 0; tried < mostShortenings; tried += 1) {
    if (outcome.kind === 'answer' || outcome.failure.remedy !== 'shorten') break;
    const hard = Math.floor(Math.min(limits.hard, view.tokens) * shorteningShare);
    limits = { hard, soft: Math.floor(hard * softShare) };
    view = await fit(state, limits);
    outcome = await ask(state, step, tools, view);
  }
  return outcome;
}

/** A worker before this one may have written the failure and not the end of the run. */
function failAsBefore(row: StepRow | undefined): void {
  if (row?.status !== 'failed') return;
  throw new RunFailed(row.error_code ?? 'model_error', row.error_message ?? 'the model call failed');
}

/**
 * Asks the model for its next move and writes the answer into the conversation. A call that was interrupted is made
 * again under the same step, which is named after its place in the conversation.
 * @param nudge what the model is told beforehand
 * @throws RunFailed with the model's failure
 */
export async function callModel(state: GoalState, nudge: GoalMessage | null): Promise<void> {
  const { context, models, log } = state;
  const { clock, mode, budget, run } = context;
  const opening = log.length === 0 ? [append(state, openingMessage(context))] : [];
  if (nudge) opening.push(append(state, nudge));
  const key = `model-${placeAfter(log)}`;
  failAsBefore(state.known.get(key));
  const tools = offeredTools(context);
  const overhead = overheadOf(mode.instructions, tools);
  const limits = limitsOf(state, overhead);
  const view = await fit(state, limits);
  const candidates = models.forMode(run.mode);
  const cases = worstCases(candidates, (view.tokens + overhead) * 3, mode.limits.max_output_tokens);
  const step = await startGoalStep(
    state,
    {
      key,
      tool: 'llm',
      name: candidates[0]?.name ?? 'llm',
      input: { messages: view.messages.length },
      required: true,
      worstCase: dearestUsage(cases, budget.prices),
    },
    opening.map((entry) => messageRow(entry)),
  );
  const startedAt = clock.monotonicMs();
  const outcome = await askWithin(state, step, toolSet(tools), { view, limits });
  const durationMs = Math.round(clock.monotonicMs() - startedAt);
  if (outcome.kind === 'failure') {
    const { code, message } = outcome.failure;
    const end = { output: { tries: outcome.tries }, usage: [], durationMs, error: { code, message } };
    await finishGoalStep(state, step, { ...end, messages: [], artifacts: [] });
    throw new RunFailed(code, message);
  }
  await keepAnswer(state, step, outcome, durationMs);
}

async function keepAnswer(
  state: GoalState,
  step: StartedStep,
  answer: Extract<Outcome, { kind: 'answer' }>,
  durationMs: number,
): Promise<void> {
  const { text, calls, tokens, model, tries, finishReason } = answer;
  const entry = append(state, assistantMessage(text, calls, finishReason === 'length'));
  const inputTokens = tokens.input + tokens.cacheRead + tokens.cacheWrite;
  const of = { stepId: step.stepId, inputTokens, outputTokens: tokens.output };
  await finishGoalStep(state, step, {
    output: { text, tool_calls: calls.length, finish_reason: finishReason, model: model.name, tries, tokens },
    usage: usageOfTokens(model, tokens),
    durationMs,
    error: null,
    messages: [messageRow(entry, of)],
    artifacts: [],
  });
  state.modelCalls += 1;
  state.tokens = addTokens(state.tokens, tokens);
}
