import { randomUUID } from 'node:crypto';
import type { Principal, Tx } from '@swissbrain/service-kit/database';
import { appendEvents } from '@swissbrain/service-kit/outbox';
import { runRequested } from '@swissbrain/shared-schema/events/agent-runner';
import { insertArtifacts } from '../store/artifacts.ts';
import { findRun, insertRun, type RunSummary } from '../store/runs.ts';
import { insertPendingSteps } from '../store/steps.ts';
import type { ToolRegistry } from '../tools/registry.ts';
import type { PreparedRun } from './prepare-run.ts';

/**
 * Creates a run with its steps and asks credits for its hold, all in the caller's transaction. Nothing happens to
 * the run until credits answers.
 */
export async function createRun(
  tx: Tx,
  principal: Principal,
  prepared: PreparedRun,
  tools: ToolRegistry,
): Promise<RunSummary> {
  const owned = { id: prepared.id, userId: principal.userId };
  await insertRun(tx, {
    ...owned,
    tenantId: principal.tenantId,
    kind: prepared.kind,
    mode: prepared.mode,
    title: prepared.title,
    goal: prepared.goal,
    playbook: prepared.playbook,
    inputs: prepared.inputs,
    budgetMicro: prepared.budgetMicro,
    planningDone: prepared.kind === 'playbook',
  });
  if (prepared.steps.length > 0) {
    const steps = prepared.steps.map((step) => ({
      id: randomUUID(),
      index: step.index,
      key: step.id,
      tool: tools.find(step.tool)?.type ?? step.tool,
      name: step.name ?? step.id,
      input: step.with,
      needs: step.needs,
      required: step.required,
    }));
    await insertPendingSteps(tx, owned, steps);
  }
  await insertArtifacts(tx, owned, prepared.artifacts);
  await appendEvents(tx, [
    {
      definition: runRequested,
      aggregateId: owned.id,
      aggregateSeq: 1n,
      userId: owned.userId,
      rootId: owned.id,
      runId: owned.id,
      runSeq: 1n,
      data: {
        run_id: owned.id,
        root_run_id: owned.id,
        parent_run_id: null,
        tenant_id: principal.tenantId,
        mode: prepared.mode,
        title: prepared.title,
        estimate: prepared.estimate,
        budget_micro: prepared.budgetMicro?.toString() ?? null,
      },
    },
  ]);
  const run = await findRun(tx, owned.id);
  if (!run) throw new Error(`run ${owned.id} was inserted and cannot be read`);
  return run;
}
