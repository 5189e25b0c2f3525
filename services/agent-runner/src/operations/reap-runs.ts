import type { Database } from '@swissbrain/service-kit/database';
import { overdueStatement } from '../store/leases.ts';
import { isLiveStatement, isSessionLiveStatement } from '../store/runs.ts';
import { closeRunIn } from './close-run.ts';

const batch = 100;

/**
 * Ends runs that no worker has and none should take over: those to be cancelled, those whose wall clock has run out,
 * and those that were left waiting or paused for too long. Returns the sessions to remove.
 */
export async function reapRuns(
  database: Database,
  limits: { readonly wallMs: number; readonly idleMs: number },
): Promise<readonly { readonly runId: string; readonly sessionNo: number }[]> {
  const overdue = await database.serviceStatement(overdueStatement(limits, batch));
  const ended: { runId: string; sessionNo: number }[] = [];
  for (const found of overdue) {
    const closing = found.cancel_requested_at
      ? { runId: found.id, status: 'cancelled' as const, error: null }
      : {
          runId: found.id,
          status: 'timed_out' as const,
          error: found.idle_since
            ? {
                code: 'idle_too_long',
                message: `the run was left alone for ${limits.idleMs / 1_000} seconds`,
              }
            : {
                code: 'run_timed_out',
                message: `the run did not end within ${limits.wallMs / 1_000} seconds`,
              },
        };
    // A worker that claimed it since has raised the attempt.
    const closed = await database.withService((tx) =>
      closeRunIn(tx, closing, (run) => run.attempt !== found.attempt || run.status !== found.status),
    );
    if (closed) ended.push({ runId: found.id, sessionNo: found.session_no });
  }
  return ended;
}

/** Whether a run has not ended. */
export async function isRunLive(database: Database, runId: string): Promise<boolean> {
  const [row] = await database.serviceStatement(isLiveStatement(runId));
  return row?.live ?? false;
}

/** Whether a run has not ended and works, or goes on, in this session; for the sweep of sandboxes. */
export async function isSessionLive(database: Database, runId: string, sessionNo: number): Promise<boolean> {
  const [row] = await database.serviceStatement(isSessionLiveStatement(runId, sessionNo));
  return row?.live ?? false;
}
