import { performance } from 'node:perf_hooks';

/** Milliseconds since the epoch. Only for the freshness of signed requests. */
export function wallClockMs(): number {
  return Date.now();
}

/** Milliseconds on a clock that never jumps. Durations, and with them money, are measured on this one. */
export function monotonicMs(): number {
  return performance.now();
}
