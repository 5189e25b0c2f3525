/**
 * How events are retried. The first waits are short, because the usual reason is an event of another kind that is
 * still on its way; an outage is ridden out at the last one.
 */
export const delivery = {
  ackWaitMs: 10_000,
  backoffMs: [100, 250, 500, 1_000, 2_000, 5_000, 15_000, 60_000],
  maxAttempts: 20,
} as const;
