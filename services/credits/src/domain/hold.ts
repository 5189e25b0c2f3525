import type { MicroCredits } from '@swissbrain/shared-schema/amount';

/** What is asked of the ledger for a run: `amount` if it is there, but not less than `minimum`. */
export interface HoldRequest {
  readonly amount: MicroCredits;
  readonly minimum: MicroCredits;
}

/**
 * Sizes a run's hold. An estimate is a worst case, so a run may start with less: with what the account has,
 * from `minimum` on; the runner extends the hold or stops before it overspends. The ledger applies the budget.
 */
export function sizeHold(estimate: MicroCredits, minimum: MicroCredits): HoldRequest {
  const amount = estimate > minimum ? estimate : minimum;
  return { amount, minimum };
}
