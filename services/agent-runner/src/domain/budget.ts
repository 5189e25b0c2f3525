import { type PriceList, priceUsage, type Usage } from './usage.ts';

/**
 * What a run may still spend. `spent` is the cost of finished steps, `reserved` the worst case of the steps that
 * are running now; all amounts are micro-credits.
 */
export interface Budget {
  readonly prices: PriceList;
  held: bigint;
  spent: bigint;
  reserved: bigint;
}

/** A fresh budget for a run of which `spent` is already used. */
export function createBudget(prices: PriceList, held: bigint, spent: bigint): Budget {
  return { prices, held, spent, reserved: 0n };
}

/** How much the hold lacks for a step of this worst case; 0 when it fits. */
export function shortfall(budget: Budget, worstCase: bigint): bigint {
  const missing = budget.spent + budget.reserved + worstCase - budget.held;
  return missing > 0n ? missing : 0n;
}

/** Sets a step's worst case aside and returns it. */
export function setAside(budget: Budget, worstCase: readonly Usage[]): bigint {
  const cost = priceUsage(worstCase, budget.prices);
  budget.reserved += cost;
  return cost;
}

/** Replaces what was set aside by what the step really cost; returns that cost. */
export function settleStep(budget: Budget, reserved: bigint, usage: readonly Usage[]): bigint {
  const cost = priceUsage(usage, budget.prices);
  budget.reserved -= reserved;
  budget.spent += cost;
  return cost;
}
