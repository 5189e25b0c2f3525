import { fallbackOperation } from '@swissbrain/shared-schema/operations';

/** A quantity of one priced operation; the quantity is an integer as text, as events carry it. */
export interface Usage {
  readonly operation: string;
  readonly quantity: string;
}

/** The price of `perQuantity` units of an operation, in micro-credits. */
export interface Price {
  readonly operation: string;
  readonly priceMicro: bigint;
  readonly perQuantity: bigint;
}

/** A reservation's prices by operation. */
export type PriceList = ReadonlyMap<string, Price>;

/** Adds up usage per operation, in order of first appearance. */
export function sumUsage(lines: Iterable<Usage>): Usage[] {
  const totals = new Map<string, bigint>();
  for (const { operation, quantity } of lines) {
    totals.set(operation, (totals.get(operation) ?? 0n) + BigInt(quantity));
  }
  return [...totals].map(([operation, quantity]) => ({ operation, quantity: quantity.toString() }));
}

/**
 * What usage costs at frozen prices, in micro-credits, each line rounded up as the ledger does. An operation
 * without a price costs nothing here; credits decides what it charges.
 */
export function priceUsage(lines: readonly Usage[], prices: PriceList): bigint {
  let total = 0n;
  for (const { operation, quantity } of lines) {
    const price = prices.get(operation) ?? prices.get(fallbackOperation(operation) ?? operation);
    if (price === undefined) continue;
    total += (BigInt(quantity) * price.priceMicro + price.perQuantity - 1n) / price.perQuantity;
  }
  return total;
}

/** Of several usages the one that costs most; nothing of none. */
export function dearestUsage(cases: readonly (readonly Usage[])[], prices: PriceList): readonly Usage[] {
  let dearest: readonly Usage[] = [];
  let highest = -1n;
  for (const lines of cases) {
    const cost = priceUsage(lines, prices);
    if (cost > highest) [dearest, highest] = [lines, cost];
  }
  return dearest;
}
