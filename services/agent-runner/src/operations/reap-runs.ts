import type { Database } from '@swissbrain/service-kit/database';
import { overdueStatement } from '../store/leases.ts';
import { isLiveStatement } from '../store/runs.ts';
import { closeRunIn } from './close-run.ts';

const batch = 100;

/**
 * Ends runs that no worker has and none should take over: those to be cancelled, and those whose wall clock has run
 * out. Returns the sessions to remove.
 */
export async function reapRuns(
  database: Database,
  wallMs: number,
): Promise<readonly { readonly runId: string; readonly sessionNo: number }[]> {
  const overdue = await database.serviceStatement(overdueStatement(wallMs, batch));
  const ended: { runId: string; sessionNo: number }[] = [];
  for (const found of overdue) {
    const closing = found.cancel_requested_at
      ? { runId: found.id, status: 'cancelled' as const, error: null }
      : {
          runId: found.id,
          status: 'timed_out' as const,
          error: { code: 'run_timed_out', message: `the run did not end within ${wallMs / 1_000} seconds` },
        };
    // A worker that claimed it since has raised the attempt.
    const closed = await database.withService((tx) =>
      closeRunIn(tx, closing, (run) => run.attempt !== found.attempt),
    );
    if (closed) ended.push({ runId: found.id, sessionNo: found.session_no });
  }
  return ended;
}

/** Whether a run has not ended; for the sweep of sandboxes. */
export async function isRunLive(database: Database, runId: string): Promise<boolean> {
  const [row] = await database.serviceStatement(isLiveStatement(runId));
  return row?.live ?? false;
}
