import { ApiProblem, ConnectionError } from './problem.ts';

/** How often and how patiently something is tried again. */
export interface RetryPolicy {
  /** Attempts in all, the first included. */
  readonly attempts: number;
  readonly baseMs: number;
  readonly capMs: number;
}

export const defaultRetry: RetryPolicy = { attempts: 5, baseMs: 200, capMs: 5_000 };

/**
 * The wait before attempt `attempt + 1` (attempts count from 1): between half and all of an exponentially
 * growing ceiling, so that clients that lost the same server do not come back together.
 */
export function backoffMs(policy: RetryPolicy, attempt: number, random: () => number = Math.random): number {
  const ceiling = Math.min(policy.capMs, policy.baseMs * 2 ** (attempt - 1));
  return ceiling * (0.5 + random() / 2);
}

/** True for failures that the same request may survive later. */
export function isTransient(error: unknown): boolean {
  return error instanceof ConnectionError || (error instanceof ApiProblem && error.retry === 'later');
}

/**
 * Waits, or stops waiting when the signal fires.
 * @throws the signal's reason
 */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/**
 * Runs an attempt until it succeeds, fails for good, or the policy's attempts are used up.
 * @throws the last attempt's error
 */
export async function withRetry<T>(
  policy: RetryPolicy,
  signal: AbortSignal | undefined,
  attempt: () => Promise<T>,
): Promise<T> {
  for (let number = 1; ; number += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (number >= policy.attempts || !isTransient(error)) throw error;
      const asked = error instanceof ApiProblem ? (error.retryAfterMs ?? 0) : 0;
      await pause(asked + backoffMs(policy, number), signal);
    }
  }
}
