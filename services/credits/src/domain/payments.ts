/** How a subscription stands at the payment provider. */
export interface BoughtSubscription {
  readonly ref: string;
  readonly customer: string;
  /** Whom it is for, as checkout noted there; null for one that was made elsewhere. */
  readonly userId: string | null;
  readonly status: string;
  /** It will not be renewed. */
  readonly ends: boolean;
  readonly prices: readonly string[];
}

/** What was given back of a payment. Amounts in the smallest unit of the currency. */
export interface GivenBack {
  /** Null: it did not pay for a subscription. */
  readonly subscription: string | null;
  /** What it paid for, in the order of the invoice. */
  readonly prices: readonly string[];
  readonly paid: bigint;
  readonly refunded: bigint;
}

/** What an event of the provider is about; how that stands is asked for. */
export interface PaymentEvent {
  readonly id: string;
  readonly type: string;
  readonly subject: 'subscription' | 'charge';
  readonly ref: string;
  readonly createdAt: Date;
}

export type AccountStatus = 'trialing' | 'active' | 'past_due' | 'ended';

const statuses: Readonly<Record<string, AccountStatus>> = {
  trialing: 'trialing',
  active: 'active',
  // The provider still tries to collect.
  past_due: 'past_due',
  // It has given up, or nothing is to be collected: nothing is bought while this lasts.
  unpaid: 'ended',
  paused: 'ended',
  canceled: 'ended',
  incomplete_expired: 'ended',
};

/** What a status of the provider means for the account; null for one that has not begun (`incomplete`, or unknown). */
export function accountStatus(status: string): AccountStatus | null {
  return statuses[status] ?? null;
}

/** The tier that the last known of these prices buys. */
export function tierOf(prices: readonly string[], priceOfTier: ReadonlyMap<string, string>): string | null {
  const tierOfPrice = new Map([...priceOfTier].map(([tier, price]) => [price, tier]));
  return prices.map((price) => tierOfPrice.get(price) ?? null).findLast((tier) => tier !== null) ?? null;
}
