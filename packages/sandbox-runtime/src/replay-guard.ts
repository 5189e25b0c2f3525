import { freshnessMs } from './signing.ts';

const maxRemembered = 200_000;

/** Says once per nonce that it is new; `full` when too many are remembered to be sure of another one. */
export interface ReplayGuard {
  admit(nonce: string, sentAtMs: number): 'fresh' | 'stale' | 'replayed' | 'full';
}

/**
 * Remembers the nonces of authentic requests for as long as their time would be accepted. Only call it with
 * requests whose signature is right, or strangers could fill it.
 */
export function createReplayGuard(now: () => number, capacity: number = maxRemembered): ReplayGuard {
  const forgetAt = new Map<string, number>();

  const forget = (time: number) => {
    // Insertion order is nearly the order of expiry, so the first live entry ends the walk.
    for (const [nonce, expiry] of forgetAt) {
      if (expiry >= time) return;
      forgetAt.delete(nonce);
    }
  };

  return {
    admit(nonce, sentAtMs) {
      const time = now();
      if (!(Math.abs(time - sentAtMs) <= freshnessMs)) return 'stale';
      forget(time);
      if (forgetAt.has(nonce)) return 'replayed';
      if (forgetAt.size >= capacity) return 'full';
      forgetAt.set(nonce, time + 2 * freshnessMs);
      return 'fresh';
    },
  };
}
