import type { Database } from '@swissbrain/service-kit/database';
import { dispatchStatement } from '../store/leases.ts';

/** A run offered to the workers, with the attempt it had when it was offered. */
export interface Offer {
  readonly runId: string;
  readonly attempt: number;
}

/**
 * Takes the next runs out of the waiting line for `slots` free places and marks them with a ticket that expires:
 * an offer that gets lost with the queue is made again from the rows.
 */
export async function dispatchRuns(
  database: Database,
  dispatcher: { readonly owner: string; readonly slots: number; readonly ticketMs: number },
): Promise<readonly Offer[]> {
  const { owner, slots, ticketMs } = dispatcher;
  const rows = await database.serviceStatement(
    dispatchStatement({ ticket: `dispatch/${owner}`, slots, ticketMs }),
  );
  return rows.map((row) => ({ runId: row.id, attempt: row.attempt }));
}
