import type { Database } from '@swissbrain/service-kit/database';
import type { RawBuilder } from 'kysely';
import { deleteExpiredUploadsStatement } from '../store/artifacts.ts';
import { deleteExpiredRunsStatement } from '../store/deletions.ts';

/** Small, so that no transaction locks for long. */
const runsPerBatch = 100;
const uploadsPerBatch = 1_000;

/**
 * Deletes finished runs past the days of their tier, with steps, messages, artifacts' rows and events, batch by batch
 * until none is left or it is told to stop; returns how many.
 */
export function expireRuns(database: Database, signal: AbortSignal): Promise<number> {
  return inBatches(database, signal, () => deleteExpiredRunsStatement(runsPerBatch));
}

/** Deletes the rows of uploads that are older than so many days in the same way; returns how many. */
export function expireUploads(database: Database, days: number, signal: AbortSignal): Promise<number> {
  return inBatches(database, signal, () => deleteExpiredUploadsStatement(days, uploadsPerBatch));
}

async function inBatches(
  database: Database,
  signal: AbortSignal,
  statement: () => RawBuilder<{ id: string }>,
): Promise<number> {
  let deleted = 0;
  while (!signal.aborted) {
    const rows = await database.serviceStatement(statement());
    if (rows.length === 0) break;
    deleted += rows.length;
  }
  return deleted;
}
