import type Stripe from 'stripe';
import { z } from 'zod';
import { errors } from '../errors.ts';
import { nullIfMissing } from './client.ts';

const answer = z.object({ status: z.string() });

/**
 * Ends a subscription at once, without an invoice for the rest of its period. Stripe ignores idempotency keys of a DELETE, which
 * is idempotent by itself: the second finds it missing, and how it stands is read then.
 * @returns `missing` when Stripe knows no such subscription
 * @throws AppError `payment_provider_unavailable`, `payment_provider_refused`
 */
export async function cancelSubscription(
  stripe: Stripe,
  subscription: string,
): Promise<'cancelled' | 'missing'> {
  const ended =
    (await stripe.subscriptions.cancel(subscription).catch(nullIfMissing)) ??
    (await stripe.subscriptions.retrieve(subscription).catch(nullIfMissing));
  if (ended === null) return 'missing';
  const { status } = answer.parse(ended);
  if (status !== 'canceled' && status !== 'incomplete_expired') {
    throw errors.payment_provider_unavailable(`the subscription is ${status} after it was cancelled`);
  }
  return 'cancelled';
}
