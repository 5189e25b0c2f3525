import type { Tx } from '@swissbrain/service-kit/database';
import { type Difference, differenceBetween } from '../domain/comparison.ts';
import { accountStatus, type BoughtSubscription, tierOf } from '../domain/payments.ts';
import { findAccountState, selectTierPositions } from '../store/comparisons.ts';

/** Begins the types of events that the comparison raised; what differed follows. */
export const raisedPrefix = 'comparison.';

/** What a subscription at the provider and its account here disagree about; null for nothing, or one that has not begun. */
export async function findDifference(
  tx: Tx,
  bought: BoughtSubscription,
  priceOfTier: ReadonlyMap<string, string>,
): Promise<Difference | null> {
  const status = accountStatus(bought.status);
  if (status === null) return null;
  const tier = tierOf(bought.prices, priceOfTier);
  const account = await findAccountState(tx, bought);
  const positions = await selectTierPositions(tx);
  return differenceBetween({ ref: bought.ref, status, tier, ends: bought.ends }, account, positions);
}
