import { afterCommit, type Tx } from '@swissbrain/service-kit/database';
import { errors } from '../errors.ts';
import { closeRunRow } from '../store/closing.ts';
import { findRun, lockRun, markCancelRequested, type RunSummary } from '../store/runs.ts';

/** A worker may have a run in these states; in all others nothing is under way. */
const withWorker: ReadonlySet<string> = new Set(['planning', 'running']);

/**
 * Cancels a run of the transaction's user. Where no worker has it, it ends here; otherwise the request is marked,
 * which from then on keeps the worker from writing, and `nudge` tells it. A run that has ended stays as it is.
 * @throws AppError run_not_found
 */
export async function requestCancel(
  tx: Tx,
  runId: string,
  nudge: (runId: string) => void,
): Promise<RunSummary> {
  const run = await lockRun(tx, runId);
  if (!run) throw errors.run_not_found(`there is no run ${runId}`);
  if (run.finished_at) return run;
  await markCancelRequested(tx, runId);
  if (withWorker.has(run.status)) afterCommit(tx, () => nudge(runId));
  else await closeRunRow(tx, { runId, status: 'cancelled', error: null });
  return (await findRun(tx, runId)) ?? run;
}
