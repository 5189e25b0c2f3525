import type { Clock } from './clock.ts';

/** Tells a trickle from a stream: whether waiting a little now would let many share the work. */
export interface LoadMeter {
  note(events: number): void;
  /** More than `busyPerSecond` have come of late. */
  isBusy(): boolean;
}

/** From here on, events that come one by one cost more than those that wait a few milliseconds for each other. */
const busyPerSecond = 320;
/** How far back "of late" reaches: an old event counts 1/e after so long. */
const memoryMs = 200;

/** Counts with a memory that fades, so that a burst after a pause is not yet a stream. */
export function createLoadMeter(clock: Clock): LoadMeter {
  let recent = 0;
  let at = clock.monotonicMs();
  const fade = (): void => {
    const now = clock.monotonicMs();
    recent *= Math.exp((at - now) / memoryMs);
    at = now;
  };
  return {
    note(events) {
      fade();
      recent += events;
    },
    isBusy() {
      fade();
      return recent > (busyPerSecond * memoryMs) / 1_000;
    },
  };
}
