import type { Database } from '@swissbrain/service-kit/database';
import { resumeRow } from '../store/rests.ts';
import {
  countAncestors,
  findRun,
  lockRun,
  type RunSummary,
  wakeableParentsStatement,
} from '../store/runs.ts';
import type { ToolRegistry } from '../tools/registry.ts';
import { type Claim, ClaimLost } from './claims.ts';
import { createRun } from './create-run.ts';
import type { PreparedRun } from './prepare-run.ts';

/** Runs above a run, itself not counted. A run that starts runs that start runs must end somewhere. */
const deepest = 4;
const batch = 100;

/**
 * Starts the run that a step waits for, once: its id is the step's. Undefined when there are too many runs above it.
 * @throws ClaimLost
 */
export function startChild(
  database: Database,
  claim: Claim,
  child: { readonly stepId: string; readonly prepared: PreparedRun; readonly tools: ToolRegistry },
): Promise<RunSummary | undefined> {
  const { stepId, prepared, tools } = child;
  return database.withService(async (tx) => {
    const parent = await lockRun(tx, claim.runId);
    if (parent?.attempt !== claim.attempt || parent.finished_at || parent.cancel_requested_at) {
      throw new ClaimLost(`attempt ${claim.attempt} of run ${claim.runId} may not write`);
    }
    if ((await countAncestors(tx, parent.id)) >= deepest) return undefined;
    const owner = { userId: parent.user_id, tenantId: parent.tenant_id };
    const of = { runId: parent.id, rootRunId: parent.root_run_id, stepId };
    return createRun(tx, owner, prepared, tools, { parent: of });
  });
}

/** The run, as far as it is. */
export function readChild(database: Database, runId: string): Promise<RunSummary | undefined> {
  return database.withService((tx) => findRun(tx, runId));
}

/** Puts a run that waits for others below it back into the line, to look for what has come. */
export function wakeParent(database: Database, runId: string): Promise<boolean> {
  return database.withService((tx) => resumeRow(tx, runId, 'waiting_input'));
}

/** Does it for all whose child has ended without telling them; returns how many. */
export async function wakeParents(database: Database): Promise<number> {
  const parents = await database.serviceStatement(wakeableParentsStatement(batch));
  for (const { id } of parents) await wakeParent(database, id);
  return parents.length;
}
