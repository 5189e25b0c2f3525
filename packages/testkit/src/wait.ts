import { setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';
import { systemClock } from '@swissbrain/service-kit/clock';

export interface WaitOptions {
  readonly timeoutMs?: number;
  /** What is waited for, for the failure's message. */
  readonly describe?: string;
}

const pollMs = 20;

/**
 * Waits for a condition: polls `check` until it gives something truthy, and returns that. A check that throws
 * is not yet true.
 * @throws Error with the last value or failure when it does not become true in time
 */
export async function waitFor<T>(
  check: () => T | Promise<T>,
  { timeoutMs = 30_000, describe = 'a condition' }: WaitOptions = {},
): Promise<NonNullable<T>> {
  const until = systemClock.monotonicMs() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await check();
      if (value) return value;
      last = value;
    } catch (thrown) {
      last = thrown;
    }
    if (systemClock.monotonicMs() > until) {
      throw new Error(`waited ${timeoutMs} ms for ${describe}; last: ${inspect(last, { depth: 4 })}`);
    }
    await delay(pollMs);
  }
}
