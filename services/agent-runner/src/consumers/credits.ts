import type { ConsumerDefinition } from '@swissbrain/service-kit/consumer';
import { afterCommit } from '@swissbrain/service-kit/database';
import { formatCredits } from '@swissbrain/shared-schema/amount';
import {
  creditsDenied,
  creditsExhausted,
  creditsExpired,
  creditsReserved,
} from '@swissbrain/shared-schema/events/credits';
import type { EventData, EventDefinition } from '@swissbrain/shared-schema/events/envelope';
import { admitRuns } from '../operations/admit-runs.ts';
import { closeRunIn } from '../operations/close-run.ts';

interface Wakes {
  /** A run may be dispatched. */
  readonly dispatcher: () => void;
  /** A run's worker, wherever it is, should look at its row. */
  readonly worker: (runId: string) => void;
}

const delivery = {
  concurrency: 2,
  batch: 50,
  ackWaitMs: 10_000,
  backoffMs: [200, 1_000, 5_000, 15_000],
  maxAttempts: 10,
} as const;

/** A consumer that fails the run of each event. */
function failing<D extends EventDefinition>(
  event: D,
  durable: string,
  wakes: Wakes,
  describe: (data: EventData<D> & { run_id: string }) => { readonly code: string; readonly message: string },
): ConsumerDefinition<EventData<D> & { run_id: string }> {
  return {
    durable,
    event,
    ...delivery,
    async handle(tx, events) {
      for (const { data } of events) {
        const closed = await closeRunIn(tx, { runId: data.run_id, status: 'failed', error: describe(data) });
        if (closed) afterCommit(tx, () => wakes.worker(data.run_id));
      }
    },
  };
}

/** What agent-runner does about the facts of credits. */
export function creditsConsumers(wakes: Wakes) {
  const reserved: ConsumerDefinition<EventData<typeof creditsReserved>> = {
    durable: 'admit-run',
    event: creditsReserved,
    ...delivery,
    handle: (tx, events) => admitRuns(tx, events, wakes.dispatcher),
  };
  const denied = failing(creditsDenied, 'deny-run', wakes, (data) => ({
    code: 'insufficient_credits',
    message: `the run needs ${formatCredits(BigInt(data.required_micro))} credits, ${formatCredits(BigInt(data.available_micro))} are available`,
  }));
  const exhausted = failing(creditsExhausted, 'stop-exhausted-run', wakes, () => ({
    code: 'insufficient_credits',
    message: 'the credits of this run are used up',
  }));
  const expired = failing(creditsExpired, 'stop-expired-run', wakes, () => ({
    code: 'reservation_expired',
    message: 'the hold of credits for this run has expired',
  }));
  return [reserved, denied, exhausted, expired];
}
