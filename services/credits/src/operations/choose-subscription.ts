import { createHash } from 'node:crypto';
import type { Database, Principal } from '@swissbrain/service-kit/database';
import { errors } from '../errors.ts';
import { chooseTier, findSubscription, type SubscriptionRow } from '../store/subscriptions.ts';
import { explainFailure } from './ledger-failures.ts';

export type { SubscriptionRow } from '../store/subscriptions.ts';

/** The caller's live subscription. @throws AppError `subscription_not_found` */
export async function getSubscription(database: Database, principal: Principal): Promise<SubscriptionRow> {
  const found = await database.withUser(principal, (tx) => findSubscription(tx, principal.userId));
  if (!found)
    throw errors.subscription_not_found('there is no live subscription; a new user has one shortly');
  return found;
}

/**
 * Moves the caller to a tier as far as users may by themselves: down or away when the period ends, or a scheduled
 * change back. A repeat under the same key changes nothing and tells what the subscription is now.
 * @throws AppError `tier_needs_payment` for a higher tier, and where a payment provider keeps the subscription;
 *   `tier_not_found`, `subscription_not_found`, `request_key_reused`
 */
export function chooseSubscription(
  database: Database,
  principal: Principal,
  { tier, key }: { tier: string; key: string },
): Promise<{ subscription: SubscriptionRow; replayed: boolean }> {
  const { userId } = principal;
  return database.withService(async (tx) => {
    const replayed = await chooseTier(tx, { userId, tier, key: ledgerKey(key) }).catch(explainFailure);
    const subscription = await findSubscription(tx, userId);
    if (!subscription) throw errors.subscription_not_found('the subscription has ended');
    return { subscription, replayed };
  });
}

/** The ledger's keys are at most 200 characters, as the caller's is without its purpose. */
function ledgerKey(key: string): string {
  return `choose:${createHash('sha256').update(key).digest('base64url')}`;
}
