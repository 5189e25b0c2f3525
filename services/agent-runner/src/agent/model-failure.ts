import { AISDKError, APICallError } from 'ai';
import { z } from 'zod';

/**
 * What to do about a call that failed: make it `again`, since it may go well; ask the `next` model, since this one
 * will not answer; `shorten` the prompt, which does not fit; or give up, since every model would `refuse` it.
 */
export type Remedy = 'again' | 'next' | 'shorten' | 'refuse';

/** A failed call: what the user is told, without the provider's request, and what to do. */
export interface ModelFailure {
  readonly code: string;
  readonly message: string;
  readonly remedy: Remedy;
  /** The pause that the provider asks for. */
  readonly retryAfterMs: number | null;
}

/** A stream that ended before the model had finished. */
export class AnswerCut extends Error {
  override readonly name = 'AnswerCut';
}

const tooLong =
  /context.{0,3}(length|window|size)|maximum context|prompt is too long|too many (input )?tokens|input is too long|exceeds? .{0,40}tokens/i;
const outOfMoney = /insufficient_quota|exceeded your current quota|billing|credit balance/i;
const longestMessage = 500;

/** An error in the middle of a stream, as both providers say it. */
const streamError = z.looseObject({
  message: z.string(),
  type: z.string().nullish(),
  code: z.union([z.string(), z.number()]).nullish(),
});

const failure = (
  code: string,
  message: string,
  remedy: Remedy,
  retryAfterMs: number | null = null,
): ModelFailure => ({ code, message: message.slice(0, longestMessage), remedy, retryAfterMs });

/** `retry-after-ms`, or `retry-after` in seconds or as a date (RFC 9110, 10.2.3). */
function retryAfter(headers: Readonly<Record<string, string>> | undefined, nowMs: number): number | null {
  const exact = Number(headers?.['retry-after-ms'] ?? Number.NaN);
  if (Number.isFinite(exact) && exact >= 0) return exact;
  const given = headers?.['retry-after'];
  if (given === undefined) return null;
  const seconds = Number(given);
  if (Number.isFinite(seconds)) return seconds >= 0 ? seconds * 1_000 : null;
  const date = Date.parse(given);
  return Number.isNaN(date) ? null : Math.max(date - nowMs, 0);
}

function ofStatus(status: number, text: string, pauseMs: number | null): ModelFailure {
  if (status === 413 || (status === 400 && tooLong.test(text))) {
    return failure('context_too_long', `the conversation does not fit into the model: ${text}`, 'shorten');
  }
  if (status === 401 || status === 403) {
    return failure('model_unauthorized', `the model server refused the key (${status})`, 'next');
  }
  if (status === 402 || (status === 429 && outOfMoney.test(text))) {
    return failure('model_quota_exceeded', `the quota at the model server is used up: ${text}`, 'next');
  }
  if (status === 404) return failure('model_not_found', `the model server answered 404: ${text}`, 'next');
  if (status === 429) {
    return failure('model_rate_limited', 'the model server limits the rate of requests', 'again', pauseMs);
  }
  if (status === 408 || status === 409 || status === 425 || status >= 500) {
    return failure('model_error', `the model server answered ${status}: ${text}`, 'again', pauseMs);
  }
  return failure('model_refused', `the model server answered ${status}: ${text}`, 'refuse');
}

function ofCall(error: APICallError, nowMs: number): ModelFailure {
  const { statusCode: status, message } = error;
  if (status === undefined) {
    return failure('model_unreachable', `the model server cannot be reached: ${message}`, 'again');
  }
  if (status < 400) return failure('model_answer_invalid', `the answer cannot be read: ${message}`, 'again');
  const said = `${message} ${error.responseBody ?? ''}`;
  const { code, retryAfterMs, ...rest } = ofStatus(status, said, retryAfter(error.responseHeaders, nowMs));
  // The body helps to class it; the user is told the message alone.
  return { code, ...rest, message: rest.message.replace(said, message), retryAfterMs };
}

/** What a failed call means. `nowMs` is the time of day, for providers that name a date to come back. */
export function classifyFailure(error: unknown, nowMs: number): ModelFailure {
  if (APICallError.isInstance(error)) return ofCall(error, nowMs);
  if (error instanceof AnswerCut) return failure('model_answer_cut', error.message, 'again');
  const inStream = streamError.safeParse(error);
  if (!(error instanceof Error) && inStream.success) {
    const { message, type, code } = inStream.data;
    if (tooLong.test(message) || code === 'context_length_exceeded') {
      return failure(
        'context_too_long',
        `the conversation does not fit into the model: ${message}`,
        'shorten',
      );
    }
    return failure(
      'model_error',
      `the model server broke off: ${message} (${type ?? code ?? 'error'})`,
      'again',
    );
  }
  const message = error instanceof Error ? error.message : String(error);
  if (AISDKError.isInstance(error)) {
    if (tooLong.test(message)) {
      return failure(
        'context_too_long',
        `the conversation does not fit into the model: ${message}`,
        'shorten',
      );
    }
    // What only this provider cannot do; the rest is malformed, incomplete, or broken off half way.
    const never = /LoadAPIKey|LoadSetting|NoSuchModel|UnsupportedFunctionality|InvalidPrompt/.test(
      error.name,
    );
    return never
      ? failure('model_error', message, 'next')
      : failure('model_answer_invalid', `the answer cannot be read: ${message}`, 'again');
  }
  return failure('model_unreachable', `the connection to the model server broke: ${message}`, 'again');
}
