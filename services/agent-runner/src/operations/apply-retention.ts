import type { Clock } from '@swissbrain/service-kit/clock';
import type { Database } from '@swissbrain/service-kit/database';
import type { ObjectStore } from '../storage/object-store.ts';
import { expireRuns, expireUploads } from './expire-runs.ts';
import { sweepObjects } from './sweep-objects.ts';

export interface Retention {
  readonly database: Database;
  readonly objects: ObjectStore;
  readonly clock: Clock;
  /** An object that nothing refers to is kept for so many days: a run may be about to. */
  readonly graceDays: number;
  readonly uploadDays: number;
  /** Ends it between two batches. */
  readonly signal: AbortSignal;
}

/** How many of each one pass has deleted. */
export interface Retained {
  readonly runs: number;
  readonly uploads: number;
  readonly objects: number;
}

/**
 * One pass: deletes runs past the days of their tier and uploads past theirs, then objects that nothing refers to.
 * Several at once do no harm.
 */
export async function applyRetention(retention: Retention): Promise<Retained> {
  const { database, signal, uploadDays } = retention;
  const runs = await expireRuns(database, signal);
  const uploads = await expireUploads(database, uploadDays, signal);
  return { runs, uploads, objects: await sweepObjects(retention) };
}
