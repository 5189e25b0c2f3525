import { afterCommit, type Tx } from '@swissbrain/service-kit/database';
import type { creditsReserved } from '@swissbrain/shared-schema/events/credits';
import type { ReceivedEvent } from '@swissbrain/shared-schema/events/envelope';
import type { z } from 'zod';
import { tierWeight } from '../domain/tier-weight.ts';
import { pauseQueuedRows } from '../store/rests.ts';
import { queueRuns } from '../store/runs.ts';

type Reserved = ReceivedEvent<z.infer<typeof creditsReserved.data>>;

/**
 * Puts the runs whose credits were reserved into the waiting line. A run that was cancelled meanwhile stays
 * cancelled, one that is to be paused is paused: credits releases its hold on the closing event, in whatever order the two arrive.
 */
export async function admitRuns(
  tx: Tx,
  events: readonly Reserved[],
  wakeDispatcher: () => void,
): Promise<void> {
  const queued = await queueRuns(
    tx,
    events.map(({ envelope, data }) => ({
      run_id: data.run_id,
      user_id: envelope.user_id,
      reservation_id: data.reservation_id,
      held_micro: data.held_micro,
      weight: tierWeight(data.limits.tier),
      max_parallel: data.limits.max_parallel_items,
      reservation: {
        prices: data.prices,
        limits: data.limits,
        ttl_seconds: data.ttl_seconds,
        price_as_of: data.price_as_of,
      },
    })),
  );
  await pauseQueuedRows(
    tx,
    events.map(({ data }) => data.run_id),
  );
  if (queued > 0) afterCommit(tx, wakeDispatcher);
}
