/** Where code gets the time from; nothing else in SwissBrain reads the system clock. */
export interface Clock {
  /** The wall clock. For decisions shared between processes take the database's time instead. */
  now(): Date;
  /** Milliseconds since an arbitrary point, never going back; for durations and deadlines. */
  monotonicMs(): number;
}

/** The clock of this machine. */
export const systemClock: Clock = Object.freeze({
  now: () => new Date(),
  monotonicMs: () => performance.now(),
});
