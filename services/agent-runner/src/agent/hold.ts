import { setTimeout as delay } from 'node:timers/promises';
import type { Database } from '@swissbrain/service-kit/database';
import { AppError } from '@swissbrain/service-kit/errors';
import type { Rpc } from '@swissbrain/service-kit/rpc';
import { extendReservation } from '@swissbrain/shared-schema/rpc/credits';
import { type Budget, shortfall } from '../domain/budget.ts';
import { priceUsage, type Usage } from '../domain/usage.ts';
import { type Claim, raiseHold } from '../operations/claims.ts';
import { RunFailed } from './stops.ts';

const firstWaitMs = 200;
const longestWaitMs = 5_000;

/** What raising a hold needs. */
export interface HoldDeps {
  readonly database: Database;
  readonly rpc: Rpc;
  readonly claim: Claim;
  readonly reservationId: string;
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
 * Makes sure that a step's worst case fits into the hold, and raises it where it does not. The key carries the
 * amount: after a crash the same question is asked again and answered once.
 * @throws RunFailed insufficient_credits, reservation_closed
 */
export async function makeRoom(
  deps: HoldDeps,
  budget: Budget,
  stepId: string,
  worstCase: readonly Usage[],
): Promise<void> {
  const missing = shortfall(budget, priceUsage(worstCase, budget.prices));
  if (missing === 0n) return;
  const answer = await extend(deps, missing, `step:${stepId}:${budget.held}:${missing}`);
  if (answer.status === 'closed') {
    throw new RunFailed('reservation_closed', 'the hold of credits for this run has ended');
  }
  const held = BigInt(answer.held_micro);
  if (answer.status !== 'insufficient' && held > budget.held) {
    budget.held = held;
    await raiseHold(deps.database, deps.claim, held);
  }
  if (shortfall(budget, priceUsage(worstCase, budget.prices)) > 0n) {
    throw new RunFailed('insufficient_credits', 'the credits available do not cover the next step');
  }
}
