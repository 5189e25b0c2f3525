import { afterCommit, type Database, type Tx } from '@swissbrain/service-kit/database';
import { errors } from '../errors.ts';
import { closeRunRow } from '../store/closing.ts';
import { orphansStatement, unheededCancelsStatement } from '../store/leases.ts';
import { findRun, lockRun, lockTree, markCancelRequested, type RunSummary } from '../store/runs.ts';
import { closeRun } from './close-run.ts';
import type { RunWakes } from './questions.ts';

/** A worker may have a run in these states; in all others nothing is under way. */
const withWorker: ReadonlySet<string> = new Set(['planning', 'running']);
/** In these its sandbox may have been left as it is. */
const idle: ReadonlySet<string> = new Set(['waiting_input', 'paused']);
const batch = 100;

/** Who is told of a cancel. */
export type CancelWakes = Pick<RunWakes, 'worker' | 'sweep'>;

async function cancelOne(tx: Tx, runId: string, wakes: CancelWakes): Promise<void> {
  const run = await lockRun(tx, runId);
  if (!run || run.finished_at) return;
  await markCancelRequested(tx, runId);
  if (withWorker.has(run.status)) {
    afterCommit(tx, () => wakes.worker(runId));
    return;
  }
  await closeRunRow(tx, { runId, status: 'cancelled', error: null });
  if (idle.has(run.status)) afterCommit(tx, wakes.sweep);
}

/** Cancels a run with all runs below it, as far as the transaction may see them. Harmless for those that have ended. */
export async function cancelTree(tx: Tx, runId: string, wakes: CancelWakes): Promise<void> {
  for (const id of await lockTree(tx, runId)) await cancelOne(tx, id, wakes);
}

/**
 * Cancels a run of the transaction's user with its children. Those that no worker has end here; of the others the
 * request is marked, which from then on keeps the worker from writing, and it is told. A run that has ended stays as it
 * is.
 * @throws AppError run_not_found
 */
export async function requestCancel(tx: Tx, runId: string, wakes: CancelWakes): Promise<RunSummary> {
  await cancelTree(tx, runId, wakes);
  const run = await findRun(tx, runId);
  if (!run) throw errors.run_not_found(`there is no run ${runId}`);
  return run;
}

/** Runs that were to be cancelled `afterMs` ago and have not ended, whoever has them. */
export async function findUnheededCancels(
  database: Database,
  afterMs: number,
): Promise<readonly { readonly runId: string; readonly sessionNo: number }[]> {
  const rows = await database.serviceStatement(unheededCancelsStatement(afterMs, batch));
  return rows.map((row) => ({ runId: row.id, sessionNo: row.session_no }));
}

/** Ends a run whose cancel was asked for. Its worker, should it live, writes nothing any more. */
export async function endCancelled(database: Database, runId: string): Promise<void> {
  await closeRun(database, { runId, status: 'cancelled', error: null });
}

/** Cancels open runs whose parent has ended by whatever end. */
export async function cancelOrphans(database: Database, wakes: CancelWakes): Promise<void> {
  for (const { id } of await database.serviceStatement(orphansStatement(batch))) {
    await database.withService((tx) => cancelTree(tx, id, wakes));
  }
}
