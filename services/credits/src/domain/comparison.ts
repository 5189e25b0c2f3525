import type { AccountStatus } from './payments.ts';

/** A subscription at the provider, in the words of accounts. */
export interface BoughtState {
  readonly ref: string;
  readonly status: AccountStatus;
  /** Null: none of its prices buys a tier. */
  readonly tier: string | null;
  /** It will not be renewed. */
  readonly ends: boolean;
}

/** The subscription that an account has here. */
export interface AccountState {
  readonly ref: string | null;
  readonly status: AccountStatus;
  readonly tier: string;
  readonly next: string | null;
  /** The provider is already asked to end the one that is compared. */
  readonly ending: boolean;
}

/**
 * What can differ. Told again, as if the provider had: `untold` (nothing of it is known here), `deleted` (its user is gone),
 * `status`, `tier`, `end` (whether it will be renewed), `ended`. Only reported: `user_unknown`, `price_unknown`, `second` (another
 * subscription keeps the account), `missing` (the provider does not know it; the key may be of another account there).
 */
export const repaired = ['untold', 'deleted', 'status', 'tier', 'end', 'ended'] as const;
export const reported = ['user_unknown', 'price_unknown', 'second', 'missing'] as const;
export type Difference = (typeof repaired)[number] | (typeof reported)[number];

/**
 * What a subscription and the account of its user do not agree on; null where all is well.
 * @param account undefined for a user who has none
 * @param positions of the tiers: a higher one is an upgrade
 */
export function differenceBetween(
  bought: BoughtState,
  account: AccountState | undefined,
  positions: ReadonlyMap<string, number>,
): Difference | null {
  const { ref, status, tier, ends } = bought;
  if (status === 'ended') return account?.ref === ref && account.status !== 'ended' ? 'ended' : null;
  if (account === undefined) return 'user_unknown';
  if (account.status === 'ended') return account.ending ? null : 'deleted';
  if (account.ref !== null && account.ref !== ref) return 'second';
  if (tier === null) return 'price_unknown';
  if (account.ref === null) return 'untold';
  if (account.status !== status) return 'status';
  if (!ends) return account.next === (tier === account.tier ? null : tier) ? null : differenceOfTier(account);
  if ((positions.get(tier) ?? 0) > (positions.get(account.tier) ?? 0)) return 'tier';
  return account.next === 'free' ? null : 'end';
}

const differenceOfTier = ({ next }: AccountState): Difference => (next === 'free' ? 'end' : 'tier');
