import { afterCommit, type Tx } from '@swissbrain/service-kit/database';
import { errors } from '../errors.ts';
import { pauseRow, resumeRow } from '../store/rests.ts';
import { findRun, lockRun, lockTree, markGranted, type RunSummary } from '../store/runs.ts';
import type { RunWakes } from './questions.ts';

async function lockOpenRun(tx: Tx, runId: string, action: string): Promise<RunSummary> {
  const run = await lockRun(tx, runId);
  if (!run) throw errors.run_not_found(`there is no run ${runId}`);
  if (run.finished_at) throw errors.run_not_open(`the run is ${run.status}; nothing is left to ${action}`);
  if (run.cancel_requested_at) throw errors.run_not_open(`the run is being cancelled; it cannot ${action}`);
  return run;
}

/**
 * Pauses a run of the transaction's user: at once where no worker has it, else when what its worker has begun is done.
 * A run that is paused stays as it is.
 * @throws AppError run_not_found, run_not_open
 */
export async function requestPause(tx: Tx, runId: string, wakes: RunWakes): Promise<RunSummary> {
  const run = await lockOpenRun(tx, runId, 'pause');
  await pauseRow(tx, runId, 'user');
  afterCommit(tx, () => wakes.worker(runId));
  return (await findRun(tx, runId)) ?? run;
}

/**
 * Lets a run go on, or withdraws a pause that is on its way. A run that is not paused stays as it is.
 * @throws AppError run_not_found, run_not_open
 */
export async function resumeRun(tx: Tx, runId: string, wakes: RunWakes): Promise<RunSummary> {
  const run = await lockOpenRun(tx, runId, 'resume');
  if (await resumeRow(tx, runId, 'paused')) afterCommit(tx, wakes.dispatcher);
  else afterCommit(tx, () => wakes.worker(runId));
  return (await findRun(tx, runId)) ?? run;
}

/**
 * Pauses the run whose credits are used up, with its children, which draw on the same hold. The hold stays, and so does
 * the run until there are credits again, or until it has been left alone for too long. Not when there were credits after
 * `at`, the time of the fact: events of credits arrive in any order.
 */
export async function pauseForCredits(
  tx: Tx,
  fact: { readonly runId: string; readonly at: string },
  wakes: RunWakes,
): Promise<void> {
  for (const id of await lockTree(tx, fact.runId)) {
    await pauseRow(tx, id, 'credits', fact.at);
    afterCommit(tx, () => wakes.worker(id));
  }
}

/** Lets the runs of a user go on that were paused for want of credits. */
export async function resumeForCredits(
  tx: Tx,
  fact: { readonly userId: string; readonly at: string },
  wakes: RunWakes,
): Promise<void> {
  for (const id of await markGranted(tx, fact.userId, fact.at)) {
    if (await resumeRow(tx, id, 'paused', 'credits')) afterCommit(tx, wakes.dispatcher);
    else afterCommit(tx, () => wakes.worker(id));
  }
}
