import type { Database } from '@swissbrain/service-kit/database';
import type { Rpc } from '@swissbrain/service-kit/rpc';
import { listBillableSteps } from '@swissbrain/shared-schema/rpc/agent-runner';
import type { StepUsage } from '../domain/usage.ts';
import { claimIncompleteClosings, type IncompleteClosing, releaseHold } from '../store/ledger.ts';
import { explainFailure } from './ledger-failures.ts';
import { recordUsage } from './record-usage.ts';

const pageSize = 500;

/** Takes up to `limit` ended runs that still lack steps after so many seconds; another asker gets others. */
export function claimIncomplete(
  database: Database,
  options: { olderThanSeconds: number; limit: number },
): Promise<IncompleteClosing[]> {
  return database.withService((tx) => claimIncompleteClosings(tx, options));
}

/**
 * Asks agent-runner for the billable steps of an ended run and records those that never arrived, which settles it.
 * A run that agent-runner does not know any more has nothing to come: its hold is released.
 * @throws AppError when agent-runner cannot be asked
 */
export async function askMissingSteps(
  database: Database,
  rpc: Rpc,
  { reservation_id: reservationId, run_id: runId }: IncompleteClosing,
): Promise<number> {
  let after = -1;
  let recorded = 0;
  for (;;) {
    const page = await rpc.call(listBillableSteps, { run_id: runId, after_index: after, limit: pageSize });
    if (page.status === null) {
      await database.withService((tx) =>
        releaseHold(tx, { reservationId, key: `gone:${runId}`, reason: 'run.gone' }).catch(explainFailure),
      );
      return recorded;
    }
    const steps = page.steps.map(
      (step): StepUsage => ({
        rootRunId: runId,
        runId,
        stepId: step.step_id,
        usage: step.usage,
        finishedAt: step.finished_at,
      }),
    );
    await database.withService((tx) => recordUsage(tx, steps));
    recorded += steps.length;
    const last = page.steps.at(-1);
    if (!last || page.steps.length < pageSize) return recorded;
    after = last.step_index;
  }
}
