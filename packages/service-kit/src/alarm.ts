import { setTimeout as delay } from 'node:timers/promises';

/** Wakes a loop that has nothing to do. */
export interface Alarm {
  ring(): void;
  /** Forgets earlier rings. */
  arm(): void;
  /** Until it rings, or `ms` have passed, or the owner stops. */
  wait(ms: number): Promise<void>;
  /** Like `wait`, but no ring ends it. */
  sleep(ms: number): Promise<void>;
}

/** @param stopping rings for good */
export function createAlarm(stopping: AbortSignal): Alarm {
  let rung = Promise.withResolvers<void>();
  stopping.addEventListener('abort', () => rung.resolve(), { once: true });
  return {
    ring: () => rung.resolve(),
    arm() {
      rung = Promise.withResolvers();
      if (stopping.aborted) rung.resolve();
    },
    async wait(ms) {
      const { promise, resolve } = rung;
      const timer = setTimeout(resolve, ms);
      await promise;
      clearTimeout(timer);
    },
    sleep: (ms) => delay(ms, undefined, { signal: stopping }).catch(() => {}),
  };
}
