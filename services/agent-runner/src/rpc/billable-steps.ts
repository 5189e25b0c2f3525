import type { Database } from '@swissbrain/service-kit/database';
import type { Rpc } from '@swissbrain/service-kit/rpc';
import { listBillableSteps, readRunStates } from '@swissbrain/shared-schema/rpc/agent-runner';
import { readBillableSteps } from '../operations/read-billable-steps.ts';
import { listRunStates } from '../operations/read-run-states.ts';

/** Answers credits' questions: for the steps that it has not seen, and what has become of the runs it holds credits for. */
export function serveBillableSteps(rpc: Rpc, database: Database): void {
  rpc.serve(listBillableSteps, async (request) => {
    const { status, steps } = await readBillableSteps(
      database,
      request.run_id,
      request.after_index,
      request.limit,
    );
    return {
      status,
      steps: steps.map((step) => ({
        step_id: step.id,
        step_index: step.step_index,
        usage: [...step.usage],
        finished_at: (step.finished_at ?? step.created_at).toISOString(),
      })),
    };
  });
  rpc.serve(readRunStates, async ({ run_ids }) => ({ runs: await listRunStates(database, run_ids) }));
}
