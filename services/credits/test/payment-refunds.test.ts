import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newUser } from './api-fixture.ts';
import { deliver, newEvent, type PaymentsUnderTest, startPayments, subscribe } from './payment-fixture.ts';

let credits: PaymentsUnderTest;
beforeAll(async () => {
  credits = await startPayments();
});
afterAll(() => credits?.stop());

const micro = (amount: number) => BigInt(amount) * 1_000_000n;

/** A user who paid for Pro, with the charge. */
async function paid() {
  const { user } = await newUser(credits.url);
  const subscription = await subscribe(credits, user);
  const charge = `ch_${randomUUID()}`;
  const price = 'price_pro';
  /** Tells that so much was refunded in all; how the event ended. */
  const refunded = async (amount: number) => {
    credits.provider.charges.set(charge, { subscription, price, paid: 1_900, refunded: amount });
    const id = newEvent();
    const answer = await deliver(credits.url, { id, type: 'charge.refunded', object: { id: charge } });
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    return (await credits.storedEvent(id))?.outcome;
  };
  const available = async () => (await credits.accountOf(user))?.available;
  const row = async () => {
    const [found] = await credits.database.query<object>(
      `SELECT refunded_minor AS refunded, credits_micro AS bought, taken_micro AS taken
       FROM payment_refunds WHERE charge_ref = $1`,
      [charge],
    );
    return found;
  };
  return { user, refunded, available, row };
}

test('a refund takes back its share of what was bought, once', async () => {
  const { user, refunded, available, row } = await paid();
  expect(await refunded(950)).toBe('applied');
  expect(await available()).toBe(micro(550));
  expect(await refunded(950)).toBe('unchanged');
  expect(await refunded(475)).toBe('unchanged');
  expect(await available()).toBe(micro(550));
  expect(await refunded(1_900)).toBe('applied');
  expect(await available()).toBe(micro(100));
  expect(await row()).toEqual({ refunded: 1_900n, bought: micro(900), taken: micro(900) });
  expect(await credits.verify(user)).toEqual([]);
});

test('a refund above the original takes nothing', async () => {
  const { refunded, available, row } = await paid();
  expect(await refunded(1_901)).toBe('exceeds_original');
  expect(await available()).toBe(micro(1_000));
  expect(await refunded(1_900)).toBe('applied');
  expect(await refunded(3_800)).toBe('exceeds_original');
  expect(await available()).toBe(micro(100));
  expect(await row()).toMatchObject({ refunded: 1_900n });
});

test('what is spent or held is not taken, and no debt comes of it', async () => {
  const { user, refunded, available, row } = await paid();
  await credits.database.query(`SELECT * FROM grant_credits($1, 'promo', 7000000, 'gift', 'a gift')`, [user]);
  const run = randomUUID();
  await credits.database.query(`SELECT * FROM reserve_credits($1, $2, 700000000, $3, '1 hour')`, [
    user,
    run,
    run,
  ]);
  expect(await refunded(1_900)).toBe('applied');
  expect(await available()).toBe(micro(700));
  expect(await row()).toMatchObject({ taken: micro(307) });
  expect(await credits.verify(user)).toEqual([]);
});

test('a charge that paid for no subscription of ours is left alone', async () => {
  const charge = `ch_${randomUUID()}`;
  const subscription = `sub_${randomUUID()}`;
  credits.provider.subscriptions.set(subscription, {});
  for (const [price, outcome] of [
    ['price_other', 'ignored'],
    ['price_pro', 'unknown_user'],
  ] as const) {
    credits.provider.charges.set(charge, { subscription, price, paid: 100, refunded: 100 });
    const id = newEvent();
    await deliver(credits.url, { id, type: 'charge.refunded', object: { id: charge } });
    expect((await credits.storedEvent(id))?.outcome).toBe(outcome);
  }
});
