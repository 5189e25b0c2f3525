import { randomUUID } from 'node:crypto';
import { expectProblem } from '@swissbrain/testkit/http-cases';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newUser } from './api-fixture.ts';
import {
  deliver,
  newEvent,
  type PaymentsUnderTest,
  send,
  startPayments,
  subscribe,
  tell,
} from './payment-fixture.ts';

let credits: PaymentsUnderTest;
beforeAll(async () => {
  credits = await startPayments({ STRIPE_SWEEP_MS: '50' });
});
afterAll(() => credits?.stop());

const micro = (amount: number) => BigInt(amount) * 1_000_000n;
const standing = (subscription: string, changes: object) =>
  credits.provider.subscriptions.set(subscription, {
    ...credits.provider.subscriptions.get(subscription),
    ...changes,
  });
const expectApplied = (event: string) =>
  waitFor(async () => (await credits.storedEvent(event))?.outcome === 'applied', {
    describe: 'the event is applied',
  });

describe('a delivery', () => {
  const object = { id: 'sub_none', object: 'subscription' };
  const type = 'customer.subscription.updated';

  test('that is forged, changed or old is refused and leaves nothing', async () => {
    const id = newEvent();
    const refused = async (answer: ReturnType<typeof send>) =>
      expectProblem(await answer, 400, 'signature_invalid');
    await refused(deliver(credits.url, { id, type, object, secret: 'whsec_of_somebody_else' }));
    await refused(deliver(credits.url, { id, type, object, timestamp: 1_700_000_000 }));
    const payload = JSON.stringify({ id, object: 'event', created: 1, type, data: { object } });
    await refused(send(credits.url, payload, ''));
    await refused(send(credits.url, payload, 't=1,v1=00'));
    expect(await credits.storedEvent(id)).toBeUndefined();
  });

  test('of another type, or of a checkout without a subscription, needs nothing done', async () => {
    for (const [of, about] of [
      ['customer.created', { id: 'cus_1' }],
      ['checkout.session.completed', { id: 'cs_1', mode: 'payment', subscription: null }],
    ] as const) {
      const id = newEvent();
      expect((await deliver(credits.url, { id, type: of, object: about })).status).toBe(200);
      expect(await credits.storedEvent(id)).toBeUndefined();
    }
  });

  test('for nobody who is known is kept as that, and not asked for again', async () => {
    const subscription = `sub_${randomUUID()}`;
    credits.provider.subscriptions.set(subscription, { customer: 'cus_unknown' });
    const id = newEvent();
    const about = { id: subscription };
    expect((await deliver(credits.url, { id, type, object: about })).status).toBe(200);
    expect((await credits.storedEvent(id))?.outcome).toBe('unknown_user');
  });
});

describe('a subscription', () => {
  test('that was bought raises the tier, once, however often it is told', async () => {
    const { user } = await newUser(credits.url);
    const subscription = `sub_${randomUUID()}`;
    credits.provider.subscriptions.set(subscription, { user });
    const id = newEvent();
    const checkout = { id: 'cs_1', object: 'checkout.session', mode: 'subscription', subscription };
    const again = () => deliver(credits.url, { id, type: 'checkout.session.completed', object: checkout });
    const answers = await Promise.all([again(), again(), again()]);
    expect(answers.map(({ status }) => status)).toContain(200);
    await expectApplied(id);
    expect((await again()).status).toBe(200);
    await tell(credits.url, 'created', subscription);
    const invoice = { id: 'in_1', parent: { subscription_details: { subscription } } };
    expect((await deliver(credits.url, { type: 'invoice.paid', object: invoice })).status).toBe(200);
    expect(await credits.accountOf(user)).toMatchObject({
      tier: 'pro',
      ref: subscription,
      available: micro(1_000),
    });
    expect(await credits.changesOf(user)).toEqual(['upgraded']);
    expect((await credits.storedEvent(id))?.attempts).toBe(1);
    expect(await credits.verify(user)).toEqual([]);
  });

  test('goes up at once, down and away when the period ends, and back', async () => {
    const { user } = await newUser(credits.url);
    const subscription = await subscribe(credits, user);
    standing(subscription, { price: 'price_team' });
    await tell(credits.url, 'updated', subscription);
    expect(await credits.accountOf(user)).toMatchObject({ tier: 'team', available: micro(5_000) });
    standing(subscription, { price: 'price_pro' });
    await tell(credits.url, 'updated', subscription);
    await tell(credits.url, 'updated', subscription);
    expect(await credits.accountOf(user)).toMatchObject({ tier: 'team', next: 'pro' });
    standing(subscription, { price: 'price_team', ends: true });
    await tell(credits.url, 'updated', subscription);
    await tell(credits.url, 'updated', subscription);
    expect(await credits.accountOf(user)).toMatchObject({ tier: 'team', next: 'free' });
    standing(subscription, { ends: false });
    await tell(credits.url, 'updated', subscription);
    expect(await credits.accountOf(user)).toMatchObject({ tier: 'team', next: null });
    expect(await credits.changesOf(user)).toEqual([
      ...['upgraded', 'upgraded', 'downgrade_scheduled', 'cancel_scheduled', 'change_withdrawn'],
    ]);
  });

  test('whose end is told before its last change has ended all the same', async () => {
    const { user } = await newUser(credits.url);
    const subscription = await subscribe(credits, user, 'price_team');
    standing(subscription, { status: 'canceled' });
    await tell(credits.url, 'deleted', subscription);
    await tell(credits.url, 'updated', subscription);
    await tell(credits.url, 'created', subscription);
    expect(await credits.accountOf(user)).toMatchObject({ tier: 'free', ref: null, status: 'active' });
    expect(await credits.changesOf(user)).toEqual(['upgraded', 'cancelled']);
    expect(await credits.verify(user)).toEqual([]);
  });

  test('whose earlier state is read last is not set back', async () => {
    const { user } = await newUser(credits.url);
    const subscription = await subscribe(credits, user, 'price_team');
    const asked = credits.provider.requests.length;
    const release = credits.provider.hold();
    const id = newEvent();
    // Its answer is made while the subscription lives, and arrives when its end has been applied.
    const late = deliver(credits.url, {
      id,
      type: 'customer.subscription.updated',
      object: { id: subscription },
    });
    await waitFor(() => credits.provider.requests.length > asked, { describe: 'Stripe is asked' });
    const [later] = await credits.database.query<{ done: string }>(
      `SELECT sync_subscription($1, $2, NULL, clock_timestamp(), 'ended', NULL, false) AS done`,
      [user, subscription],
    );
    expect(later?.done).toBe('applied');
    standing(subscription, { status: 'canceled' });
    release();
    expectProblem(await late, 503, 'payment_event_pending');
    await credits.dueNow(id);
    await waitFor(async () => (await credits.storedEvent(id))?.outcome !== null, { describe: 'read again' });
    expect(await credits.accountOf(user)).toMatchObject({ tier: 'free', ref: null });
    expect(await credits.changesOf(user)).toEqual(['upgraded', 'cancelled']);
  });

  test('that cannot be paid is past due, and recovers or ends', async () => {
    const { user } = await newUser(credits.url);
    const subscription = await subscribe(credits, user);
    const object = { id: 'in_2', parent: { subscription_details: { subscription } } };
    const told = async (type: string, status: string) => {
      standing(subscription, { status });
      expect((await deliver(credits.url, { type, object })).status).toBe(200);
      expect((await deliver(credits.url, { type, object })).status).toBe(200);
      return credits.accountOf(user);
    };
    expect(await told('invoice.payment_failed', 'past_due')).toMatchObject({
      tier: 'pro',
      status: 'past_due',
    });
    expect(await told('invoice.paid', 'active')).toMatchObject({ tier: 'pro', status: 'active' });
    expect(await told('invoice.payment_failed', 'past_due')).toMatchObject({ status: 'past_due' });
    expect(await told('invoice.payment_failed', 'unpaid')).toMatchObject({ tier: 'free', status: 'active' });
    expect(await told('invoice.paid', 'active')).toMatchObject({ tier: 'pro', status: 'active' });
    expect(await credits.changesOf(user)).toEqual([
      ...['upgraded', 'payment_failed', 'payment_recovered', 'payment_failed', 'cancelled', 'upgraded'],
    ]);
    // What the period got once it does not get again.
    expect(await credits.accountOf(user)).toMatchObject({ available: micro(1_000) });
    expect(await credits.verify(user)).toEqual([]);
  });

  test('beside another one waits until that has ended', async () => {
    const { user } = await newUser(credits.url);
    const first = await subscribe(credits, user);
    const second = `sub_${randomUUID()}`;
    credits.provider.subscriptions.set(second, { user, price: 'price_team' });
    const id = newEvent();
    const type = 'customer.subscription.created';
    expectProblem(
      await deliver(credits.url, { id, type, object: { id: second } }),
      503,
      'payment_event_pending',
    );
    expect(await credits.accountOf(user)).toMatchObject({ tier: 'pro', ref: first });
    standing(first, { status: 'canceled' });
    await tell(credits.url, 'deleted', first);
    await credits.dueNow(id);
    await expectApplied(id);
    expect(await credits.accountOf(user)).toMatchObject({ tier: 'team', ref: second });
  });

  test('that was never taken up takes nothing away when it ends', async () => {
    const { user } = await newUser(credits.url);
    await credits.database.query(`SELECT change_tier($1, 'team', 'given')`, [user]);
    const subscription = `sub_${randomUUID()}`;
    credits.provider.subscriptions.set(subscription, { user, status: 'incomplete' });
    await tell(credits.url, 'created', subscription);
    standing(subscription, { status: 'incomplete_expired' });
    await tell(credits.url, 'updated', subscription);
    expect(await credits.accountOf(user)).toMatchObject({ tier: 'team', ref: null });
  });
});

test('while Stripe does not answer events are kept, and applied when it does', async () => {
  const { user } = await newUser(credits.url);
  const subscription = `sub_${randomUUID()}`;
  credits.provider.subscriptions.set(subscription, { user });
  const id = newEvent();
  credits.provider.fail(true);
  try {
    const answer = await deliver(credits.url, {
      ...{ id, type: 'customer.subscription.created', object: { id: subscription } },
    });
    expectProblem(answer, 503, 'payment_event_pending');
    await credits.dueNow(id);
    await waitFor(async () => ((await credits.storedEvent(id))?.attempts ?? 0) > 1, {
      describe: 'another attempt',
    });
    expect(await credits.accountOf(user)).toMatchObject({ tier: 'free', ref: null });
  } finally {
    credits.provider.fail(false);
  }
  await credits.dueNow(id);
  await expectApplied(id);
  expect(await credits.accountOf(user)).toMatchObject({ tier: 'pro', ref: subscription });
});
