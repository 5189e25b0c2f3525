import { createHash } from 'node:crypto';
import type { Principal } from '@swissbrain/service-kit/database';
import type { CheckoutBody } from '@swissbrain/shared-schema/http/billing';
import { z } from 'zod';
import { errors } from '../errors.ts';
import { findBilling } from '../store/payments.ts';
import { userIdField } from '../stripe/answers.ts';
import { explainStripe } from '../stripe/client.ts';
import type { Payments } from './apply-payment-event.ts';

const page = z.object({ url: z.url() });

/** Who asks, under which `Idempotency-Key`. */
export interface BillingCall {
  readonly principal: Principal;
  readonly key: string;
}

/**
 * A page on which the caller buys a tier. The account changes when the provider tells that it was paid.
 * @throws AppError `tier_not_found`, `subscription_bought`, `subscription_not_found`, `request_key_reused`,
 *   `payment_provider_unavailable`, `payment_provider_refused`
 */
export async function openCheckout(
  { database, stripe, settings }: Payments,
  { principal, key }: BillingCall,
  body: CheckoutBody,
): Promise<{ url: string }> {
  const { userId } = principal;
  const price = settings.prices.get(body.tier);
  if (price === undefined) throw errors.tier_not_found(`the tier ${body.tier} is not for sale`);
  const billing = await database.withUser(principal, (tx) => findBilling(tx, userId));
  if (!billing)
    throw errors.subscription_not_found('there is no live subscription; a new user has one shortly');
  if (billing.subscription !== null) {
    throw errors.subscription_bought('change or cancel it with POST /v1/billing/portal');
  }
  const session = await stripe.checkout.sessions
    .create(
      {
        mode: 'subscription',
        line_items: [{ price, quantity: 1 }],
        success_url: body.success_url,
        cancel_url: body.cancel_url,
        client_reference_id: userId,
        subscription_data: { metadata: { [userIdField]: userId } },
        ...(billing.customer === null ? {} : { customer: billing.customer }),
      },
      { idempotencyKey: providerKey('checkout', userId, key) },
    )
    .catch(explainStripe);
  return page.parse(session);
}

/**
 * A page on which the caller changes or cancels what was bought, and finds the invoices.
 * @throws AppError `billing_not_found`, `request_key_reused`, `payment_provider_unavailable`, `payment_provider_refused`
 */
export async function openPortal(
  { database, stripe }: Payments,
  { principal, key }: BillingCall,
  returnUrl: string,
): Promise<{ url: string }> {
  const { userId } = principal;
  const billing = await database.withUser(principal, (tx) => findBilling(tx, userId));
  if (!billing?.customer) throw errors.billing_not_found('buy a tier with POST /v1/billing/checkout first');
  const session = await stripe.billingPortal.sessions
    .create(
      { customer: billing.customer, return_url: returnUrl },
      { idempotencyKey: providerKey('portal', userId, key) },
    )
    .catch(explainStripe);
  return page.parse(session);
}

/** Keys are the caller's own here, and one space for all callers there. */
function providerKey(purpose: string, userId: string, key: string): string {
  return createHash('sha256')
    .update(JSON.stringify([purpose, userId, key]))
    .digest('base64url');
}
