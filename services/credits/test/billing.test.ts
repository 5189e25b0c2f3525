import { randomUUID } from 'node:crypto';
import { call, expectProblem } from '@swissbrain/testkit/http-cases';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeRefusals, newUser, post } from './api-fixture.ts';
import { type PaymentsUnderTest, startPayments, subscribe } from './payment-fixture.ts';
import { startCredits } from './service-fixture.ts';

let credits: PaymentsUnderTest;
beforeAll(async () => {
  credits = await startPayments();
});
afterAll(() => credits?.stop());

const checkout = '/v1/billing/checkout';
const portal = '/v1/billing/portal';
const order = { tier: 'pro', success_url: 'https://app.example/done', cancel_url: 'https://app.example/no' };
const back = { return_url: 'https://app.example/account' };

describe('checkout', () => {
  test('opens a page that says whom it is for; the same key gives the same page', async () => {
    const { user, token } = await newUser(credits.url);
    const key = randomUUID();
    const first = await post(credits.url, checkout, { token, body: order, key });
    expect(first.status, JSON.stringify(first.body)).toBe(200);
    const { form, idempotencyKey } = credits.provider.requests.at(-1) ?? {};
    expect(Object.fromEntries(form ?? [])).toMatchObject({
      mode: 'subscription',
      'line_items[0][price]': 'price_pro',
      client_reference_id: user,
      'subscription_data[metadata][swissbrain_user_id]': user,
      success_url: order.success_url,
    });
    expect((await post(credits.url, checkout, { token, body: order, key })).body).toEqual(first.body);
    expect(credits.provider.requests.at(-1)?.idempotencyKey).toBe(idempotencyKey);
    const other = await post(credits.url, checkout, { token, body: { ...order, tier: 'team' }, key });
    expectProblem(other, 409, 'request_key_reused');
    const somebody = await newUser(credits.url);
    const theirs = await post(credits.url, checkout, { token: somebody.token, body: order, key });
    expect(theirs.status).toBe(200);
    expect(theirs.body).not.toEqual(first.body);
  });

  test('sells what is for sale, and nothing beside a subscription that lives', async () => {
    const { user, token } = await newUser(credits.url);
    for (const tier of ['free', 'platinum']) {
      expectProblem(
        await post(credits.url, checkout, { token, body: { ...order, tier } }),
        404,
        'tier_not_found',
      );
    }
    await subscribe(credits, user);
    expectProblem(await post(credits.url, checkout, { token, body: order }), 409, 'subscription_bought');
  });

  test('says when Stripe does not answer', async () => {
    const { token } = await newUser(credits.url);
    credits.provider.fail(true);
    try {
      const answer = await post(credits.url, checkout, { token, body: order });
      expectProblem(answer, 503, 'payment_provider_unavailable');
      expect(answer.headers.get('retry-after')).not.toBeNull();
    } finally {
      credits.provider.fail(false);
    }
  });
});

test('the portal is the customer’s own, once there is one', async () => {
  const { user, token } = await newUser(credits.url);
  expectProblem(await post(credits.url, portal, { token, body: back }), 404, 'billing_not_found');
  const subscription = await subscribe(credits, user);
  expect((await post(credits.url, portal, { token, body: back })).status).toBe(200);
  expect(credits.provider.requests.at(-1)?.form.get('customer')).toBe(`cus_${subscription}`);
});

describe('refuses', () => {
  const bad = 'javascript:alert(1)';
  describeRefusals(
    () => credits.url,
    [
      {
        method: 'POST',
        path: checkout,
        body: order,
        badBodies: [
          { ...order, tier: 1 },
          { ...order, success_url: bad },
        ],
      },
      { method: 'POST', path: portal, body: back, badBodies: [{ return_url: bad }] },
    ],
  );
});

test('without Stripe there is nothing of it', async () => {
  const without = await startCredits();
  try {
    const { token } = await newUser(without.url);
    for (const [path, body] of [
      [checkout, order],
      [portal, back],
      ['/v1/webhooks/stripe', {}],
    ] as const) {
      expect((await call(without.url, path, { token, method: 'POST', body })).status).toBe(404);
    }
  } finally {
    await without.stop();
  }
});
