import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '@swissbrain/service-kit/clock';
import type { Logger } from '@swissbrain/service-kit/logger';
import { classifyFailure, type ModelFailure } from './model-failure.ts';
import type { RetrySettings } from './models.ts';

/** What a call of a model may take. */
export interface ModelCall {
  readonly name: string;
  /** Of one try. */
  readonly timeoutMs: number;
  readonly retry: RetrySettings;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How it went, and after how many tries. */
export type Called<T> =
  | { readonly kind: 'answer'; readonly value: T; readonly tries: number }
  | { readonly kind: 'failure'; readonly failure: ModelFailure; readonly tries: number };

/** Between half and all of what has doubled with each try, so that runs that failed together do not come back together. */
function pauseOf(retry: RetrySettings, attempt: number): number {
  const longest = Math.min(retry.waitMs * 2 ** attempt, retry.longestWaitMs);
  return longest * (0.5 + Math.random() / 2);
}

/**
 * Calls a model until it answers or a further try would not help.
 * @throws the reason of `signal`
 */
export async function callWithRetries<T>(
  { name, timeoutMs, retry, signal, clock, log }: ModelCall,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<Called<T>> {
  for (let attempt = 0; ; attempt += 1) {
    const timeout = AbortSignal.timeout(timeoutMs);
    let failure: ModelFailure;
    try {
      const value = await work(AbortSignal.any([signal, timeout]));
      return { kind: 'answer', value, tries: attempt + 1 };
    } catch (error) {
      signal.throwIfAborted();
      failure = timeout.aborted
        ? {
            code: 'model_timeout',
            message: `the model did not answer within ${timeoutMs / 1_000} seconds`,
            remedy: 'again',
            retryAfterMs: null,
          }
        : classifyFailure(error, clock.now().getTime());
    }
    log.info({ model: name, code: failure.code, reason: failure.message, attempt }, 'a model call failed');
    const pause = Math.max(failure.retryAfterMs ?? 0, pauseOf(retry, attempt));
    if (failure.remedy !== 'again' || attempt >= retry.retries || pause > retry.longestWaitMs) {
      return { kind: 'failure', failure, tries: attempt + 1 };
    }
    await delay(pause, undefined, { signal }).catch((error: unknown) => {
      signal.throwIfAborted();
      throw error;
    });
  }
}
