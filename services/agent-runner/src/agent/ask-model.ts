import type { Clock } from '@swissbrain/service-kit/clock';
import type { Logger } from '@swissbrain/service-kit/logger';
import {
  generateText,
  type Instructions,
  type LanguageModelUsage,
  type ModelMessage,
  type Output,
  streamText,
  type ToolSet,
} from 'ai';
import type { ModelTokens } from '../domain/model-tokens.ts';
import type { AskedCall } from './goal-messages.ts';
import { AnswerCut, type ModelFailure } from './model-failure.ts';
import { callWithRetries } from './model-retries.ts';
import { inChatSpan } from './model-spans.ts';
import type { Model, RetrySettings } from './models.ts';

/** One question to the models of a mode. */
export interface Question {
  /** In order of preference; a later one answers where those before it cannot. */
  readonly models: readonly Model[];
  readonly retry: RetrySettings;
  readonly instructions: string;
  readonly messages: ModelMessage[];
  readonly tools?: ToolSet;
  readonly maxOutputTokens?: number;
  readonly temperature?: number;
  /** JSON Schema that the answer must follow; it is then in `object`. */
  readonly output?: ReturnType<typeof Output.object>;
  readonly runId: string;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly log: Logger;
  /** What an answer costs, in micro-credits, for its span. */
  readonly priceOf?: (model: Model, tokens: ModelTokens) => bigint;
  /** Takes text as it comes; `restart` when a new try begins anew. */
  readonly onText?: (text: string, restart: boolean) => void;
}

/** What a model said. */
export interface ModelAnswer {
  readonly text: string;
  readonly calls: readonly AskedCall[];
  readonly object?: unknown;
  readonly tokens: ModelTokens;
  readonly finishReason: string;
  /** As the provider calls the answer, and the model that gave it. */
  readonly response: { readonly id: string; readonly modelId: string };
}

/** An answer with the model that gave it, or why there is none. */
export type Outcome =
  | ({ readonly kind: 'answer'; readonly model: Model; readonly tries: number } & ModelAnswer)
  | { readonly kind: 'failure'; readonly failure: ModelFailure; readonly tries: number };

/** The four buckets and the reasoning, as the provider counted. */
function tokensOf(usage: LanguageModelUsage): ModelTokens {
  const { inputTokens = 0, inputTokenDetails: details, outputTokens = 0 } = usage;
  const { cacheReadTokens: cacheRead = 0, cacheWriteTokens: cacheWrite = 0 } = details;
  const input = details.noCacheTokens ?? Math.max(inputTokens - cacheRead - cacheWrite, 0);
  const reasoning = usage.outputTokenDetails.reasoningTokens ?? 0;
  return { input, cacheRead, cacheWrite, output: outputTokens, reasoning };
}

const ephemeral = { anthropic: { cacheControl: { type: 'ephemeral' } } } as const;

/** Anthropic caches up to where it is told: after the instructions, and after the conversation so far. */
function cached(
  { provider }: Model,
  { instructions, messages }: Question,
): { instructions: Instructions; messages: ModelMessage[] } {
  const last = messages.at(-1);
  if (provider !== 'anthropic' || !last) return { instructions, messages };
  return {
    instructions: { role: 'system', content: instructions, providerOptions: ephemeral },
    messages: [...messages.slice(0, -1), { ...last, providerOptions: ephemeral }],
  };
}

function limitsOf(model: Model, question: Question) {
  const { maxOutputTokens = model.maxOutputTokens, temperature = model.temperature } = question;
  return { maxOutputTokens: Math.min(maxOutputTokens, model.maxOutputTokens), temperature };
}

function optionsOf(model: Model, question: Question, abortSignal: AbortSignal) {
  const { tools, output } = question;
  const { maxOutputTokens, temperature } = limitsOf(model, question);
  return {
    model: model.model,
    ...cached(model, question),
    ...(tools && Object.keys(tools).length > 0 ? { tools } : {}),
    ...(output ? { output } : {}),
    ...(temperature === undefined ? {} : { temperature }),
    maxOutputTokens,
    maxRetries: 0,
    abortSignal,
  };
}

const asked = (call: { toolCallId: string; toolName: string; input: unknown }): AskedCall => ({
  toolCallId: call.toolCallId,
  toolName: call.toolName,
  input: call.input ?? null,
});

const endings: ReadonlySet<string> = new Set(['stop', 'length', 'tool-calls', 'content-filter']);

/** @throws AnswerCut when the provider has not said how it ended: then it has not ended */
function finished(answer: ModelAnswer & { readonly raw: string | undefined }): ModelAnswer {
  const { raw, ...rest } = answer;
  const ended = endings.has(rest.finishReason) || (rest.finishReason === 'other' && raw !== undefined);
  if (!ended) throw new AnswerCut(`the answer of the model was cut off (${rest.finishReason})`);
  return rest;
}

async function whole(model: Model, question: Question, signal: AbortSignal): Promise<ModelAnswer> {
  const result = await generateText(optionsOf(model, question, signal));
  question.onText?.(result.text, true);
  return finished({
    text: result.text,
    calls: result.toolCalls.map(asked),
    ...(question.output ? { object: result.output } : {}),
    tokens: tokensOf(result.usage),
    finishReason: result.finishReason,
    response: result.response,
    raw: result.rawFinishReason,
  });
}

async function streamed(model: Model, question: Question, signal: AbortSignal): Promise<ModelAnswer> {
  // Errors come as parts of the stream; the default would print them.
  const result = streamText({ ...optionsOf(model, question, signal), onError: () => undefined });
  let text = '';
  let answer: (ModelAnswer & { readonly raw: string | undefined }) | undefined;
  let broken: { readonly error: unknown } | undefined;
  const calls: AskedCall[] = [];
  for await (const part of result.fullStream) {
    // Read on to the end: to leave a stream that others read, too, would wait for them.
    if (part.type === 'error') broken ??= { error: part.error };
    if (part.type === 'text-delta') {
      question.onText?.(part.text, text === '');
      text += part.text;
    } else if (part.type === 'tool-call') calls.push(asked(part));
    else if (part.type === 'finish-step') {
      const { finishReason, rawFinishReason: raw, response } = part;
      answer = { text, calls, tokens: tokensOf(part.usage), finishReason, response, raw };
    }
  }
  signal.throwIfAborted();
  if (broken) throw broken.error;
  if (!answer) throw new AnswerCut('the answer of the model was cut off');
  return finished(answer);
}

/** One call in a span of its own. */
function tryOnce(model: Model, question: Question, signal: AbortSignal): Promise<ModelAnswer> {
  const { maxOutputTokens: maxTokens, temperature } = limitsOf(model, question);
  const call = {
    ...{ model, runId: question.runId, maxTokens, temperature },
    outputType: question.output ? ('json' as const) : ('text' as const),
    nowMs: question.clock.now().getTime(),
  };
  return inChatSpan(call, async (told) => {
    const answer = await (model.stream && !question.output
      ? streamed(model, question, signal)
      : whole(model, question, signal));
    told(answer, question.priceOf?.(model, answer.tokens));
    return answer;
  });
}

/** Asks one model until it answers or a further try would not help. */
async function askOne(model: Model, question: Question): Promise<Outcome> {
  const { retry, signal, clock, log } = question;
  const { name, timeoutMs } = model;
  const called = await callWithRetries({ name, timeoutMs, retry, signal, clock, log }, (within) =>
    tryOnce(model, question, within),
  );
  if (called.kind === 'failure') return called;
  return { kind: 'answer', model, tries: called.tries, ...called.value };
}

/**
 * Asks the models in order until one answers. A prompt that is too long for one or that none may answer ends it: the
 * caller sees to that. Of several failures the first is told, and who else was asked.
 * @throws the reason of `signal`
 */
export async function askModel(question: Question): Promise<Outcome> {
  let first: ModelFailure | undefined;
  let tries = 0;
  const failed: string[] = [];
  for (const model of question.models) {
    const outcome = await askOne(model, question);
    tries += outcome.tries;
    if (outcome.kind === 'answer') return { ...outcome, tries };
    const { failure } = outcome;
    first ??= failure;
    failed.push(`${model.name}: ${failure.code}`);
    if (failure.remedy === 'shorten' || failure.remedy === 'refuse') return { ...outcome, tries };
  }
  const failure = first ?? { code: 'model_error', message: 'no model', remedy: 'refuse', retryAfterMs: null };
  if (failed.length < 2) return { kind: 'failure', failure, tries };
  const message = `${failure.message}; no other model answered (${failed.slice(1).join(', ')})`;
  return { kind: 'failure', failure: { ...failure, message }, tries };
}
