import type { Database } from '@swissbrain/service-kit/database';
import type { StoredPayload } from '../domain/payload.ts';
import type { FailedTry } from '../domain/retry.ts';
import { type Advance, advanceStatement } from '../store/advance.ts';
import {
  claimStatement,
  finishPlanningStatement,
  handOverStatement,
  type LostSession,
  nameSessionStatement,
  raiseHoldStatement,
  raiseSessionStatement,
  renewStatement,
} from '../store/leases.ts';
import type { RunRow } from '../store/runs.ts';
import { beginOnceStatement, loadStepsStatement, noteTryStatement, type StepRow } from '../store/steps.ts';

/** What every write of a worker repeats. */
export interface Claim {
  readonly runId: string;
  readonly attempt: number;
}

/** The claim does not hold any more: another worker has the run, or it has ended, or is to be cancelled. */
export class ClaimLost extends Error {
  override readonly name = 'ClaimLost';
}

/** A run in a worker's hands. */
export interface ClaimedRun {
  readonly run: RunRow;
  readonly steps: readonly StepRow[];
  /** What is left of its wall clock. */
  readonly remainingMs: number;
}

/**
 * Takes a run over with the next attempt number. Undefined when it is not to be had: ended, claimed by
 * another, or the offer is older than its attempt.
 */
export async function claimRun(
  database: Database,
  offer: Claim & { readonly owner: string; readonly leaseMs: number; readonly wallMs: number },
): Promise<ClaimedRun | undefined> {
  const [run] = await database.serviceStatement(claimStatement(offer));
  if (!run) return undefined;
  const steps = await database.serviceStatement(loadStepsStatement(run.id));
  return { run, steps, remainingMs: run.remaining_ms };
}

/**
 * Moves a run forward in one statement.
 * @throws ClaimLost when nothing was written
 */
export async function advanceRun(database: Database, advance: Advance): Promise<void> {
  const rows = await database.serviceStatement(advanceStatement(advance), { groupCommit: advance.runId });
  if (rows.length === 0)
    throw new ClaimLost(`attempt ${advance.attempt} of run ${advance.runId} may not write`);
}

/** Renews leases; returns what became of each claim that still holds: whether a cancel or a pause is on its way. */
export async function renewLeases(
  database: Database,
  owner: string,
  leaseMs: number,
  claims: readonly Claim[],
): Promise<ReadonlyMap<string, { readonly cancelRequested: boolean; readonly pauseRequested: boolean }>> {
  const rows = await database.serviceStatement(renewStatement(owner, leaseMs, claims));
  return new Map(
    rows.map((row) => [
      row.id,
      { cancelRequested: row.cancel_requested, pauseRequested: row.pause_requested },
    ]),
  );
}

/** Gives a run or the offer of one back, so that another worker may have it at once. Harmless when it is gone. */
export async function handOver(database: Database, claim: Claim): Promise<void> {
  await database.serviceStatement(handOverStatement(claim.runId, claim.attempt));
}

/** Records a raised hold. @throws ClaimLost */
export async function raiseHold(database: Database, claim: Claim, heldMicro: bigint): Promise<void> {
  const rows = await database.serviceStatement(raiseHoldStatement(claim.runId, claim.attempt, heldMicro));
  if (rows.length === 0) throw new ClaimLost(`attempt ${claim.attempt} of run ${claim.runId} may not write`);
}

/** Numbers the session after the one that was lost and tells the user, by run.session_lost. @throws ClaimLost */
export async function raiseSession(database: Database, claim: Claim, lost: LostSession): Promise<number> {
  const statement = raiseSessionStatement(claim.runId, claim.attempt, lost);
  const [row] = await database.serviceStatement(statement, { wakeRelay: true });
  if (!row) throw new ClaimLost(`attempt ${claim.attempt} of run ${claim.runId} may not write`);
  return row.session_no;
}

/** Writes down which session of the pool is to be the run's, or that none is. @throws ClaimLost */
export async function nameSession(
  database: Database,
  claim: Claim,
  session: { readonly sessionNo: number; readonly name: string | null },
): Promise<void> {
  const statement = nameSessionStatement(claim.runId, claim.attempt, session);
  const rows = await database.serviceStatement(statement);
  if (rows.length === 0) throw new ClaimLost(`attempt ${claim.attempt} of run ${claim.runId} may not write`);
}

/** Says that no more steps will come, with the run's answer; closes the run. @throws ClaimLost */
export async function finishPlanning(
  database: Database,
  claim: Claim,
  output: unknown,
  stored: StoredPayload | null = null,
): Promise<void> {
  const statement = finishPlanningStatement(claim, output, stored);
  const rows = await database.serviceStatement(statement, { wakeRelay: true });
  if (rows.length === 0) throw new ClaimLost(`attempt ${claim.attempt} of run ${claim.runId} may not write`);
}

/** Notes a call that has failed and will be made again. @throws ClaimLost */
export async function noteTry(
  database: Database,
  claim: Claim,
  stepId: string,
  failed: FailedTry,
): Promise<void> {
  const rows = await database.serviceStatement(noteTryStatement(claim, stepId, failed));
  if (rows.length === 0) throw new ClaimLost(`attempt ${claim.attempt} of run ${claim.runId} may not write`);
}

/** What became of a call that was under way when its worker went away, as far as anybody knows. */
export const interrupted = {
  code: 'interrupted',
  message:
    'the call was interrupted and its outcome is unknown: it may have taken effect. It was not made again; look before you repeat it',
} as const;

/**
 * Marks that a call which must never be made twice now begins. False when an earlier worker had begun it.
 * @throws ClaimLost
 */
export async function beginOnce(database: Database, claim: Claim, stepId: string): Promise<boolean> {
  const [row] = await database.serviceStatement(beginOnceStatement(claim, stepId, interrupted));
  if (!row) throw new ClaimLost(`attempt ${claim.attempt} of run ${claim.runId} may not write`);
  return !row.begun;
}
