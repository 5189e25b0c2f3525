import type { Database } from '@swissbrain/service-kit/database';
import { deleteExpiredRunsStatement } from '../store/deletions.ts';

/** Small, so that no transaction locks for long. */
const runsPerBatch = 100;

/**
 * Deletes finished runs past the days of their tier, with steps, messages, artifacts' rows and events, batch by batch
 * until none is left or it is told to stop; returns how many.
 */
export async function expireRuns(database: Database, signal: AbortSignal): Promise<number> {
  let deleted = 0;
  while (!signal.aborted) {
    const rows = await database.serviceStatement(deleteExpiredRunsStatement(runsPerBatch));
    if (rows.length === 0) break;
    deleted += rows.length;
  }
  return deleted;
}
