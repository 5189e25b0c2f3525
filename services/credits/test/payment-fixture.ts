import { randomUUID } from 'node:crypto';
import { subscriptionChanged } from '@swissbrain/shared-schema/events/credits';
import { type Answer, call } from '@swissbrain/testkit/http-cases';
import Stripe from 'stripe';
import { expect } from 'vitest';
import { startCredits } from './service-fixture.ts';
import { type StripeServer, startStripe } from './stripe-server.ts';

const webhookSecret = 'whsec_of_the_tests';
const stripe = new Stripe('sk_test_nothing');

/** Settings that turn payments on, with Stripe at `url`. */
export const paymentSettings = (url: string): Readonly<Record<string, string>> => ({
  STRIPE_SECRET_KEY: 'sk_test_1',
  STRIPE_WEBHOOK_SECRET: webhookSecret,
  STRIPE_PRICES: 'pro=price_pro,team=price_team,enterprise=price_enterprise',
  STRIPE_API_URL: url,
});

/** The service with payments on, and Stripe beside it. */
export async function startPayments(overrides: Readonly<Record<string, string>> = {}) {
  const provider = await startStripe();
  try {
    const credits = await startCredits({ ...paymentSettings(provider.url), ...overrides });
    const stop = async () => {
      await credits.stop();
      await provider.stop();
    };
    return { ...credits, ...looksInto(credits), provider, stop };
  } catch (thrown) {
    await provider.stop();
    throw thrown;
  }
}
export type PaymentsUnderTest = Awaited<ReturnType<typeof startPayments>>;

function looksInto({ database }: Awaited<ReturnType<typeof startCredits>>) {
  return {
    /** The account as payments see it, with what it has available in micro-credits. */
    async accountOf(user: string) {
      const [row] = await database.query<{
        tier: string;
        next: string | null;
        status: string;
        ref: string | null;
        available: bigint;
      }>(
        `SELECT s.tier_code AS tier, s.next_tier_code AS next, s.status, s.external_ref AS ref,
                b.credited_micro - b.debited_micro AS available
         FROM user_subscriptions s JOIN credit_balances b USING (user_id) WHERE user_id = $1`,
        [user],
      );
      return row;
    },
    async changesOf(user: string): Promise<string[]> {
      const rows = await database.query<{ data: unknown }>(
        `SELECT data FROM event_outbox WHERE user_id = $1 AND type = 'subscription.changed' ORDER BY aggregate_seq`,
        [user],
      );
      return rows.map(({ data }) => subscriptionChanged.data.parse(data).change);
    },
    async storedEvent(id: string) {
      const [row] = await database.query<{ outcome: string | null; attempts: number }>(
        'SELECT outcome, attempts FROM payment_events WHERE id = $1',
        [id],
      );
      return row;
    },
    /** Makes an event's next attempt due now. */
    dueNow: (id: string) =>
      database.query('UPDATE payment_events SET next_attempt_at = clock_timestamp() WHERE id = $1', [id]),
    verify: (user: string) => database.query('SELECT * FROM verify_credits($1)', [user]),
  };
}

export interface Delivery {
  readonly type: string;
  readonly object: object;
  readonly id?: string;
  /** Seconds since 1970, of the signature. */
  readonly timestamp?: number;
  readonly secret?: string;
}

/** Delivers an event as Stripe would, signed by its own library. */
export function deliver(url: string, delivery: Delivery): Promise<Answer> {
  const { type, object, id = newEvent(), timestamp, secret = webhookSecret } = delivery;
  const payload = JSON.stringify({
    ...{
      id,
      object: 'event',
      api_version: '2026-10-28.endive',
      created: 1_768_300_000,
      type,
      data: { object },
    },
  });
  const signature = stripe.webhooks.generateTestHeaderString({
    ...{ payload, secret },
    ...(timestamp === undefined ? {} : { timestamp }),
  });
  return send(url, payload, signature);
}

/** Sends bytes to the webhook. */
export function send(url: string, payload: string, signature: string): Promise<Answer> {
  return call(url, '/v1/webhooks/stripe', {
    method: 'POST',
    body: payload,
    headers: { 'stripe-signature': signature },
  });
}

export const newEvent = (): string => `evt_${randomUUID()}`;

/** Delivers that something changed about a subscription, and expects it to be applied. */
export async function tell(url: string, what: string, subscription: string): Promise<void> {
  const answer = await deliver(url, {
    type: `customer.subscription.${what}`,
    object: { id: subscription, object: 'subscription' },
  });
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
}

/** A subscription of a user at Stripe that the account knows of. */
export async function subscribe(
  { url, provider }: { url: string; provider: StripeServer },
  user: string,
  price = 'price_pro',
): Promise<string> {
  const subscription = `sub_${randomUUID()}`;
  provider.subscriptions.set(subscription, { user, price });
  await tell(url, 'created', subscription);
  return subscription;
}
