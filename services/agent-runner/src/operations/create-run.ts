import { randomUUID } from 'node:crypto';
import type { Principal, Tx } from '@swissbrain/service-kit/database';
import { appendEvents } from '@swissbrain/service-kit/outbox';
import { runRequested } from '@swissbrain/shared-schema/events/agent-runner';
import { insertArtifacts } from '../store/artifacts.ts';
import { findRun, insertRun, type NewRun, queueChildRow } from '../store/runs.ts';
import { insertPendingSteps } from '../store/steps.ts';
import type { ToolRegistry } from '../tools/registry.ts';
import { refuseLeaving } from './leave.ts';
import type { OpenRun } from './open-rows.ts';
import type { PreparedRun } from './prepare-run.ts';

/**
 * Creates a run with its steps and asks credits for its hold, all in the caller's transaction. Nothing happens to
 * the run until credits answers; a run below another one draws on the hold of its root and is in the waiting line at once.
 * A run of this id that exists already stays as it is.
 */
export async function createRun(
  tx: Tx,
  owner: Pick<Principal, 'userId' | 'tenantId'>,
  prepared: PreparedRun,
  tools: ToolRegistry,
  origin: Pick<NewRun, 'parent' | 'forkedFrom'> = {},
): Promise<OpenRun> {
  await refuseLeaving(tx, owner.userId);
  const owned = { id: prepared.id, userId: owner.userId };
  const rootId = origin.parent?.rootRunId ?? owned.id;
  const inserted = await insertRun(tx, {
    ...owned,
    ...origin,
    tenantId: owner.tenantId,
    kind: prepared.kind,
    mode: prepared.mode,
    title: prepared.title,
    goal: prepared.goal,
    playbook: prepared.playbook,
    storedPlaybook: prepared.stored?.playbook ?? null,
    inputs: prepared.inputs,
    storedInputs: prepared.stored?.inputs ?? null,
    options: { approvals: prepared.approvals },
    budgetMicro: prepared.budgetMicro,
    planningDone: prepared.kind === 'playbook',
  });
  if (!inserted) return readBack(tx, owned.id);
  if (prepared.steps.length > 0) {
    const steps = prepared.steps.map((step) => ({
      id: randomUUID(),
      index: step.index,
      key: step.id,
      tool: tools.find(step.tool)?.type ?? step.tool,
      name: step.name ?? step.id,
      input: step.with,
      storedInput: prepared.stored?.steps.get(step.id) ?? null,
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
      rootId,
      runId: owned.id,
      runSeq: 1n,
      data: {
        run_id: owned.id,
        root_run_id: rootId,
        parent_run_id: origin.parent?.runId ?? null,
        tenant_id: owner.tenantId,
        mode: prepared.mode,
        title: prepared.title,
        estimate: prepared.estimate,
        budget_micro: prepared.budgetMicro?.toString() ?? null,
      },
    },
  ]);
  if (origin.parent) await queueChildRow(tx, owned.id);
  return readBack(tx, owned.id);
}

/** A run that has just been created has no output, and one that was there before is not asked for it. */
async function readBack(tx: Tx, id: string): Promise<OpenRun> {
  const run = await findRun(tx, id);
  if (!run) throw new Error(`run ${id} was inserted and cannot be read`);
  return { ...run, output: run.output_ref ? null : run.output, output_ref: null };
}
