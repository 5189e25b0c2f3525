import { setTimeout as delay } from 'node:timers/promises';
import type { Database } from '@swissbrain/service-kit/database';
import { AppError } from '@swissbrain/service-kit/errors';
import type { Rpc } from '@swissbrain/service-kit/rpc';
import { extendReservation } from '@swissbrain/shared-schema/rpc/credits';
import { type Budget, shortfall } from '../domain/budget.ts';
import { priceUsage, type Usage } from '../domain/usage.ts';
import { type Claim, raiseHold } from '../operations/claims.ts';
import { pauseRow, resumeRow } from '../store/rests.ts';
import { RunFailed, RunStopped } from './stops.ts';

const firstWaitMs = 200;
const longestWaitMs = 5_000;

/** What raising a hold needs. */
export interface HoldDeps {
  readonly database: Database;
  readonly rpc: Rpc;
  readonly claim: Claim;
  readonly reservationId: string;
  /** Part of the key of a question: a run that was resumed asks anew. */
  readonly rests: number;
  /** The most the user will spend on the run, in micro-credits. */
  readonly budgetMicro: bigint | null;
  readonly signal: AbortSignal;
}

/** Asks until there is an answer: while credits is away the run waits, bounded by its wall clock. */
async function extend(deps: HoldDeps, amount: bigint, key: string) {
  for (let wait = firstWaitMs; ; wait = Math.min(wait * 2, longestWaitMs)) {
    deps.signal.throwIfAborted();
    try {
      return await deps.rpc.call(extendReservation, {
        reservation_id: deps.reservationId,
        amount_micro: amount.toString(),
        key,
      });
    } catch (error) {
      if (!(error instanceof AppError) || error.retry !== 'later') throw error;
      await delay(wait, undefined, { signal: deps.signal });
    }
  }
}

/**
 * With too few credits the run is to pause until more are granted. Asked once more under the pause: a grant that came
 * before it would not resume the run. Beyond the run's own budget no grant helps.
 */
async function askPausing(deps: HoldDeps, missing: bigint, key: string, held: bigint) {
  const { database, claim, budgetMicro } = deps;
  if (budgetMicro !== null && held + missing > budgetMicro) {
    throw new RunFailed('insufficient_credits', 'the budget of this run does not cover the next step');
  }
  await database.withService((tx) => pauseRow(tx, claim.runId, 'credits'));
  const answer = await extend(deps, missing, `${key}:paused`);
  if (answer.status === 'insufficient') throw new RunStopped('paused');
  await database.withService((tx) => resumeRow(tx, claim.runId, 'paused', 'credits'));
  return answer;
}

/**
 * Makes sure that a step's worst case fits into the hold, and raises it where it does not. The key carries the
 * amount: after a crash the same question is asked again and answered once.
 * @throws RunFailed insufficient_credits, reservation_closed; RunStopped paused, when there are no credits now
 */
export async function makeRoom(
  deps: HoldDeps,
  budget: Budget,
  stepId: string,
  worstCase: readonly Usage[],
): Promise<void> {
  const missing = shortfall(budget, priceUsage(worstCase, budget.prices));
  if (missing === 0n) return;
  const key = `step:${stepId}:${deps.rests}:${budget.held}:${missing}`;
  let answer = await extend(deps, missing, key);
  if (answer.status === 'insufficient') answer = await askPausing(deps, missing, key, budget.held);
  if (answer.status === 'closed') {
    throw new RunFailed('reservation_closed', 'the hold of credits for this run has ended');
  }
  if (answer.status !== 'insufficient') {
    // By what was asked, not to what is held: runs below one root raise the same hold, each for itself.
    budget.held += missing;
    await raiseHold(deps.database, deps.claim, budget.held);
  }
  if (shortfall(budget, priceUsage(worstCase, budget.prices)) > 0n) {
    throw new RunFailed('insufficient_credits', 'the credits available do not cover the next step');
  }
}
