import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { modelOperation } from '@swissbrain/shared-schema/operations';
import { APICallError, type LanguageModel, type LanguageModelUsage } from 'ai';
import type { Config } from '../config.ts';
import type { Usage } from '../domain/usage.ts';

/** The model of this installation. */
export interface Model {
  readonly name: string;
  readonly model: LanguageModel;
  readonly maxOutputTokens: number;
  readonly timeoutMs: number;
}

/** The model, or why there is none and what to set. */
export type ModelChoice = { readonly model: Model } | { readonly reason: string };

const howTo =
  'set MODEL_NAME together with MODEL_BASE_URL (any OpenAI-compatible server; MODEL_API_KEY where it wants one) ' +
  'or with ANTHROPIC_API_KEY';

/** Chooses the model from the configuration; an OpenAI-compatible server wins over Anthropic. */
export function chooseModel(config: Config): ModelChoice {
  const {
    MODEL_NAME: name,
    MODEL_BASE_URL: baseURL,
    MODEL_API_KEY: apiKey,
    ANTHROPIC_API_KEY: anthropicKey,
  } = config;
  if (!name || (!baseURL && !anthropicKey)) return { reason: `no model is configured: ${howTo}` };
  const model = baseURL
    ? createOpenAICompatible({ name: 'openai-compatible', baseURL, ...(apiKey ? { apiKey } : {}) })(name)
    : createAnthropic({
        ...(anthropicKey ? { apiKey: anthropicKey } : {}),
        ...(config.ANTHROPIC_BASE_URL ? { baseURL: config.ANTHROPIC_BASE_URL } : {}),
      })(name);
  const maxOutputTokens = config.MODEL_MAX_OUTPUT_TOKENS;
  return { model: { name, model, maxOutputTokens, timeoutMs: config.MODEL_TIMEOUT_SECONDS * 1_000 } };
}

/** Usage of a finished call in tokens, cached ones counted as input. */
export function usageOfCall(model: Model, usage: LanguageModelUsage): readonly Usage[] {
  const lines = [
    { operation: modelOperation(model.name, 'input'), quantity: String(usage.inputTokens ?? 0) },
    { operation: modelOperation(model.name, 'output'), quantity: String(usage.outputTokens ?? 0) },
  ];
  return lines.filter((line) => line.quantity !== '0');
}

/**
 * The most a call may use: three bytes of text to a token, which is above what tokenizers need for prose and code,
 * and all of the output it is allowed.
 */
export function estimateCall(model: Model, promptBytes: number): readonly Usage[] {
  return [
    { operation: modelOperation(model.name, 'input'), quantity: String(Math.ceil(promptBytes / 3) + 200) },
    { operation: modelOperation(model.name, 'output'), quantity: String(model.maxOutputTokens) },
  ];
}

/** What a failed call is to the user: a stable code and a message without the provider's request. */
export function describeModelFailure(error: unknown): { readonly code: string; readonly message: string } {
  const cause = error instanceof Error && 'lastError' in error ? error.lastError : error;
  if (APICallError.isInstance(cause)) {
    const status = cause.statusCode;
    if (status === 401 || status === 403)
      return { code: 'model_unauthorized', message: `the model server refused the key (${status})` };
    if (status === 429)
      return { code: 'model_rate_limited', message: 'the model server limits the rate of requests' };
    if (status !== undefined)
      return { code: 'model_error', message: `the model server answered ${status}: ${cause.message}` };
    return { code: 'model_unreachable', message: `the model server cannot be reached: ${cause.message}` };
  }
  if (cause instanceof Error && cause.name === 'TimeoutError') {
    return { code: 'model_timeout', message: 'the model did not answer in time' };
  }
  return { code: 'model_error', message: cause instanceof Error ? cause.message : String(cause) };
}
