import type { Database } from '@swissbrain/service-kit/database';
import type { Rpc } from '@swissbrain/service-kit/rpc';
import { heartbeatReservations } from '@swissbrain/shared-schema/rpc/credits';
import { listHolds } from '../store/runs.ts';
import { closeRun } from './close-run.ts';

const batch = 1_000;
const firstId = '00000000-0000-0000-0000-000000000000';

/**
 * Renews the holds of all runs that have not ended. A run whose hold is gone fails: nothing it did from now on
 * would be paid. Returns the shortest time to live that it saw, in seconds, or null when there was no run.
 * @throws AppError retry `later` when credits does not answer
 */
export async function heartbeatHolds(database: Database, rpc: Rpc): Promise<number | null> {
  let shortest: number | null = null;
  for (let after = firstId; ; ) {
    const holds = await database.withService((tx) => listHolds(tx, after, batch));
    const last = holds.at(-1);
    if (!last) return shortest;
    after = last.id;
    for (const { ttl_seconds: ttl } of holds) shortest = shortest === null ? ttl : Math.min(shortest, ttl);
    const answer = await rpc.call(heartbeatReservations, {
      reservation_ids: holds.map((hold) => hold.reservation_id),
    });
    const closed = new Set(answer.closed);
    for (const hold of holds) {
      if (!closed.has(hold.reservation_id)) continue;
      const error = { code: 'reservation_closed', message: 'the hold of credits for this run has ended' };
      await closeRun(database, { runId: hold.id, status: 'failed', error });
    }
    if (holds.length < batch) return shortest;
  }
}
