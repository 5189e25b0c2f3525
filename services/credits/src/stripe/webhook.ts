import Stripe from 'stripe';
import { z } from 'zod';
import type { PaymentEvent } from '../domain/payments.ts';
import { errors } from '../errors.ts';
import { referenceOrObject as ref } from './reference.ts';

/** Seconds that a signature may be old. */
const tolerance = 300;

const head = { id: z.string().min(1).max(200), created: z.number().int().positive() };
const subscribed = z.object({ subscription: ref.nullish() });

/** The types that are acted upon, with what each is about. An invoice names its subscription in two ways, by API version. */
const subjects = {
  'checkout.session.completed': subscribed.transform(({ subscription }) => subscription ?? null),
  'customer.subscription.created': ref,
  'customer.subscription.updated': ref,
  'customer.subscription.deleted': ref,
  'invoice.paid': invoiceSubject(),
  'invoice.payment_failed': invoiceSubject(),
  'charge.refunded': ref,
} as const;

function invoiceSubject() {
  return subscribed
    .extend({ parent: z.object({ subscription_details: subscribed.nullish() }).nullish() })
    .transform(
      ({ parent, subscription }) => parent?.subscription_details?.subscription ?? subscription ?? null,
    );
}

/**
 * Checks that Stripe has signed a delivery, and lately.
 * @throws AppError `signature_invalid`
 */
export function verifyDelivery(stripe: Stripe, raw: Buffer, signature: string, secret: string): unknown {
  try {
    return stripe.webhooks.constructEvent(raw, signature, secret, tolerance);
  } catch (thrown) {
    if (thrown instanceof Stripe.errors.StripeSignatureVerificationError || thrown instanceof SyntaxError) {
      throw errors.signature_invalid(
        'the Stripe-Signature header does not fit the body, the secret of the endpoint, or the time',
      );
    }
    throw thrown;
  }
}

/**
 * What a delivery is about; null for what needs nothing done, such as a checkout without a subscription.
 * @throws ZodError when a delivery of a known type has another shape
 */
export function readEvent(delivered: unknown): PaymentEvent | null {
  const { id, created, type, data } = z
    .object({ ...head, type: z.string(), data: z.object({ object: z.unknown() }) })
    .parse(delivered);
  if (!isActedUpon(type)) return null;
  const subject = subjects[type].parse(data.object);
  if (subject === null) return null;
  return {
    id,
    type,
    subject: type === 'charge.refunded' ? 'charge' : 'subscription',
    ref: subject,
    createdAt: new Date(created * 1_000),
  };
}

function isActedUpon(type: string): type is keyof typeof subjects {
  return Object.hasOwn(subjects, type);
}
