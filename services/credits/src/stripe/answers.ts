import type Stripe from 'stripe';
import { z } from 'zod';
import type { BoughtSubscription, GivenBack } from '../domain/payments.ts';
import { explainStripe, nullIfMissing } from './client.ts';
import { referenceOrObject as ref, reference } from './reference.ts';

/** Where checkout notes whom a subscription is for. */
export const userIdField = 'swissbrain_user_id';

const minor = z.number().int().nonnegative().transform(BigInt);
const userId = z.uuid().nullable().catch(null);

const subscriptionAnswer = z.object({
  id: reference,
  customer: ref,
  status: z.string(),
  cancel_at_period_end: z.boolean(),
  cancel_at: z.number().nullish(),
  metadata: z.record(z.string(), z.string()).nullish(),
  items: z.object({ data: z.array(z.object({ price: z.object({ id: reference }) })) }),
});
const subscriptionsAnswer = z.object({ data: z.array(subscriptionAnswer), has_more: z.boolean() });
const chargeAnswer = z.object({
  id: reference,
  amount: minor,
  amount_refunded: minor,
  payment_intent: ref.nullish(),
});
const invoiceLine = z.object({
  amount: z.number(),
  pricing: z.object({ price_details: z.object({ price: ref }).nullish() }).nullish(),
});
const paymentsAnswer = z.object({
  data: z.array(
    z.object({
      invoice: z.object({
        parent: z.object({ subscription_details: z.object({ subscription: ref }).nullish() }).nullish(),
        lines: z.object({ data: z.array(invoiceLine) }),
      }),
    }),
  ),
});

/** How a subscription stands now. @throws AppError `payment_provider_unavailable`, `payment_provider_refused` */
export async function readSubscription(stripe: Stripe, subscription: string): Promise<BoughtSubscription> {
  return toBought(
    subscriptionAnswer.parse(await stripe.subscriptions.retrieve(subscription).catch(explainStripe)),
  );
}

/** How a subscription stands now; null when Stripe knows none. @throws AppError as `readSubscription` */
export async function findSubscription(
  stripe: Stripe,
  subscription: string,
): Promise<BoughtSubscription | null> {
  const answer = await stripe.subscriptions.retrieve(subscription).catch(nullIfMissing);
  return answer === null ? null : toBought(subscriptionAnswer.parse(answer));
}

/**
 * Up to `limit` subscriptions that have not ended, newest first, behind one.
 * @throws AppError as `readSubscription`; `payment_provider_refused` also for a place that is not there
 */
export async function listSubscriptions(
  stripe: Stripe,
  after: string | null,
  limit: number,
): Promise<{ subscriptions: BoughtSubscription[]; next: string | null }> {
  const { data, has_more } = subscriptionsAnswer.parse(
    await stripe.subscriptions
      .list({ limit, ...(after === null ? {} : { starting_after: after }) })
      .catch(explainStripe),
  );
  return { subscriptions: data.map(toBought), next: has_more ? (data.at(-1)?.id ?? null) : null };
}

function toBought(answer: z.infer<typeof subscriptionAnswer>): BoughtSubscription {
  return {
    ref: answer.id,
    customer: answer.customer,
    userId: userId.parse(answer.metadata?.[userIdField] ?? null),
    status: answer.status,
    ends: answer.cancel_at_period_end || answer.cancel_at != null,
    prices: answer.items.data.map(({ price }) => price.id),
  };
}

/** What was given back of a payment so far. @throws AppError `payment_provider_unavailable`, `payment_provider_refused` */
export async function readGivenBack(stripe: Stripe, charge: string): Promise<GivenBack> {
  const { amount, amount_refunded, payment_intent } = chargeAnswer.parse(
    await stripe.charges.retrieve(charge).catch(explainStripe),
  );
  const given = { paid: amount, refunded: amount_refunded };
  if (payment_intent == null) return { ...given, subscription: null, prices: [] };
  const { data } = paymentsAnswer.parse(
    await stripe.invoicePayments
      .list({ payment: { type: 'payment_intent', payment_intent }, expand: ['data.invoice'], limit: 1 })
      .catch(explainStripe),
  );
  const invoice = data[0]?.invoice;
  // What a change of the subscription gives back stands beside it, below zero.
  const bought = invoice?.lines.data.filter((line) => line.amount > 0) ?? [];
  return {
    ...given,
    subscription: invoice?.parent?.subscription_details?.subscription ?? null,
    prices: bought.flatMap(({ pricing }) => pricing?.price_details?.price ?? []),
  };
}
