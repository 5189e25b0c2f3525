import type { Database } from '@swissbrain/service-kit/database';
import { findRun } from '../store/runs.ts';
import { listBillable, type StepRow } from '../store/steps.ts';

/** The billable steps of a run after `after`, and the run's status; null when there is no such run. */
export function readBillableSteps(
  database: Database,
  runId: string,
  after: number,
  limit: number,
): Promise<{ readonly status: string | null; readonly steps: readonly StepRow[] }> {
  return database.withService(async (tx) => {
    const run = await findRun(tx, runId);
    if (!run) return { status: null, steps: [] };
    return { status: run.status, steps: await listBillable(tx, runId, after, limit) };
  });
}
