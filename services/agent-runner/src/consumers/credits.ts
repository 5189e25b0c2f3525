import type { ConsumerDefinition } from '@swissbrain/service-kit/consumer';
import { afterCommit, type Tx } from '@swissbrain/service-kit/database';
import { formatCredits } from '@swissbrain/shared-schema/amount';
import {
  creditsDenied,
  creditsExhausted,
  creditsExpired,
  creditsGranted,
  creditsReserved,
} from '@swissbrain/shared-schema/events/credits';
import type { EventData, EventDefinition } from '@swissbrain/shared-schema/events/envelope';
import { admitRuns } from '../operations/admit-runs.ts';
import { closeRunIn } from '../operations/close-run.ts';
import { pauseForCredits, resumeForCredits } from '../operations/pause-run.ts';
import type { RunWakes } from '../operations/questions.ts';

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
  wakes: RunWakes,
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

/** Beyond the budget of the run no grant helps. */
async function failExhausted(tx: Tx, runId: string, wakes: RunWakes): Promise<void> {
  const error = { code: 'insufficient_credits', message: 'the budget of this run is used up' };
  const closed = await closeRunIn(tx, { runId, status: 'failed', error });
  if (closed) afterCommit(tx, () => wakes.worker(runId));
}

/** What agent-runner does about the facts of credits. */
export function creditsConsumers(wakes: RunWakes) {
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
  const exhausted: ConsumerDefinition<EventData<typeof creditsExhausted>> = {
    durable: 'stop-exhausted-run',
    event: creditsExhausted,
    ...delivery,
    async handle(tx, events) {
      for (const { envelope, data } of events) {
        if (data.reason === 'budget') await failExhausted(tx, data.run_id, wakes);
        else await pauseForCredits(tx, { runId: data.run_id, at: envelope.time }, wakes);
      }
    },
  };
  const granted: ConsumerDefinition<EventData<typeof creditsGranted>> = {
    durable: 'resume-granted-run',
    event: creditsGranted,
    ...delivery,
    async handle(tx, events) {
      for (const { envelope } of events)
        await resumeForCredits(tx, { userId: envelope.user_id, at: envelope.time }, wakes);
    },
  };
  const expired = failing(creditsExpired, 'stop-expired-run', wakes, () => ({
    code: 'reservation_expired',
    message: 'the hold of credits for this run has expired',
  }));
  return [reserved, denied, exhausted, granted, expired];
}
