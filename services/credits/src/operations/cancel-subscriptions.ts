import { describeError } from '@swissbrain/service-kit/errors';
import * as store from '../store/cancellations.ts';
import { cancelSubscription } from '../stripe/cancel.ts';
import type { Payments } from './apply-payment-event.ts';

/** After so many attempts, about four days, each failure is an error in the log. It is tried on all the same. */
const alarmingAttempts = 100;

/**
 * Ends one subscription of a deleted user at the payment provider: claimed, asked for outside any transaction, and noted
 * when the provider confirms. Whatever fails or is killed in between leaves the row to be claimed again.
 * @returns false when none is due
 */
export async function cancelDueSubscription(payments: Payments): Promise<boolean> {
  const { database, log, stripe, settings } = payments;
  const claimed = await database.withService((tx) => store.claimCancellation(tx, settings));
  if (!claimed) return false;
  const { subscription_ref: subscription, user_id, attempts } = claimed;
  const about = { subscription, user_id, attempts };
  try {
    const outcome = await cancelSubscription(stripe, subscription);
    await database.withService((tx) => store.finishCancellation(tx, subscription, outcome));
    if (outcome === 'missing')
      log.error(about, 'the subscription of a deleted user is not known to the payment provider');
    else log.info(about, 'the subscription of a deleted user has ended');
  } catch (thrown) {
    const reason = describeError(thrown);
    const level = attempts >= alarmingAttempts ? 'error' : 'warn';
    log[level]({ ...about, reason }, 'the subscription of a deleted user could not be ended yet');
    await database.withService((tx) => store.noteCancellationFailure(tx, subscription, reason));
  }
  return true;
}

/** How many subscriptions of deleted users are still to end. */
export function countOpenCancellations({ database }: Pick<Payments, 'database'>): Promise<number> {
  return database.withService(store.countCancellations);
}
