import { randomUUID } from 'node:crypto';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { newUser } from './api-fixture.ts';
import { type PaymentsUnderTest, startPayments, subscribe, tell } from './payment-fixture.ts';

let credits: PaymentsUnderTest;
beforeAll(async () => {
  credits = await startPayments({
    ...{ STRIPE_SWEEP_MS: '50', STRIPE_RETRY_SECONDS: '0.1', DRIFT_GRACE_SECONDS: '0.5' },
  });
});
afterAll(() => credits?.stop());
// What one test leaves at Stripe would differ in the next one too.
beforeEach(() => credits.provider.subscriptions.clear());

const query = <Row extends object>(text: string, values: readonly unknown[] = []) =>
  credits.database.query<Row>(text, [...values]);
const metrics = async () => (await fetch(new URL('/metrics', credits.url))).text();
/** How often a difference was told. */
async function told(what: string): Promise<number> {
  const line = (await metrics())
    .split('\n')
    .find((one) => one.startsWith('credits_payment_drift_total{') && one.includes(`what="${what}"`));
  return Number(line?.split(' ').at(-1));
}
/** Lets both sides be compared from the beginning, and waits until they have been and what differed is looked at. */
async function compare(): Promise<void> {
  const [now] = await query<{ now: string }>(
    `UPDATE payment_comparisons SET next_at = clock_timestamp(), cursor = NULL RETURNING clock_timestamp()::text AS now`,
  );
  const done = `SELECT FROM payment_comparisons WHERE completed_at > $1::timestamptz`;
  await waitFor(async () => (await query(done, [now?.now])).length === 2, {
    describe: 'both sides to be compared',
  });
  await settled();
}
const settled = () =>
  waitFor(async () => (await query('SELECT FROM payment_events WHERE outcome IS NULL')).length === 0, {
    describe: 'what differed to be looked at',
  });
const raised = async (subscription: string): Promise<string[]> =>
  (
    await query<{ found: string }>(
      `SELECT type || ' ' || outcome AS found FROM payment_events WHERE subject_ref = $1 AND id LIKE 'comparison%'`,
      [subscription],
    )
  ).map(({ found }) => found);
const stands = (subscription: string, standing: object) =>
  credits.provider.subscriptions.set(subscription, {
    ...credits.provider.subscriptions.get(subscription),
    ...standing,
  });

test('where both agree nothing is told or changed', async () => {
  const { user } = await newUser(credits.url);
  const subscription = await subscribe(credits, user);
  const changes = await credits.changesOf(user);
  await compare();
  expect(await raised(subscription)).toEqual([]);
  expect(await credits.changesOf(user)).toEqual(changes);
  expect(await metrics()).toMatch(/^credits_payment_compared_seconds\{[^}]*\} \d{10}/m);
});

test('a purchase that was never told is found and applied', async () => {
  const { user } = await newUser(credits.url);
  const subscription = `sub_${randomUUID()}`;
  credits.provider.subscriptions.set(subscription, { user, price: 'price_team' });
  const before = await told('untold');
  await compare();
  expect(await credits.accountOf(user)).toMatchObject({ tier: 'team', ref: subscription });
  expect(await raised(subscription)).toEqual(['comparison.untold applied']);
  expect(await told('untold')).toBe(before + 1);
  await compare();
  expect(await raised(subscription)).toHaveLength(1);
  expect(await credits.verify(user)).toEqual([]);
});

test.each([
  ['another price', 'tier', { price: 'price_team' }, { tier: 'team', next: null }],
  ['a failed payment', 'status', { status: 'past_due' }, { status: 'past_due' }],
  ['that it will end', 'end', { ends: true }, { tier: 'pro', next: 'free' }],
  ['its end', 'ended', { status: 'canceled' }, { tier: 'free', ref: null }],
])('%s that was never told is found and applied', async (_, what, standing, account) => {
  const { user } = await newUser(credits.url);
  const subscription = await subscribe(credits, user);
  stands(subscription, standing);
  const before = await told(what);
  await compare();
  expect(await credits.accountOf(user)).toMatchObject(account);
  expect(await raised(subscription)).toEqual([`comparison.${what} applied`]);
  expect(await told(what)).toBe(before + 1);
});

test('the purchase of a deleted user that was never told ends at Stripe', async () => {
  const { user } = await newUser(credits.url);
  await query('DELETE FROM auth.users WHERE id = $1', [user]);
  await waitFor(async () => (await credits.accountOf(user))?.status === 'ended', {
    describe: 'the account to end',
  });
  const subscription = `sub_${randomUUID()}`;
  credits.provider.subscriptions.set(subscription, { user });
  await compare();
  await waitFor(() => credits.provider.subscriptions.get(subscription)?.status === 'canceled', {
    describe: 'Stripe to end it',
  });
  expect(await raised(subscription)).toEqual(['comparison.deleted ignored']);
});

test('what is told while a difference waits to be looked at again is no drift', async () => {
  const { user } = await newUser(credits.url);
  const subscription = await subscribe(credits, user);
  stands(subscription, { price: 'price_team' });
  await query(`UPDATE payment_comparisons SET next_at = clock_timestamp(), cursor = NULL`);
  const noticed = `UPDATE payment_events SET next_attempt_at = 'infinity'
                   WHERE subject_ref = $1 AND attempts = 0 AND outcome IS NULL RETURNING id`;
  const event = await waitFor(async () => (await query<{ id: string }>(noticed, [subscription]))[0], {
    describe: 'the difference to be noticed',
  });
  const before = await told('tier');
  await tell(credits.url, 'updated', subscription);
  await credits.dueNow(event.id);
  await settled();
  expect(await raised(subscription)).toEqual(['comparison.tier unchanged']);
  expect(await told('tier')).toBe(before);
});

test('what nothing here can repair is told and left as it is', async () => {
  const { user } = await newUser(credits.url);
  const [kept, second] = [await subscribe(credits, user), `sub_${randomUUID()}`];
  credits.provider.subscriptions.set(second, { user });
  const nobodys = `sub_${randomUUID()}`;
  credits.provider.subscriptions.set(nobodys, {});
  const { user: other } = await newUser(credits.url);
  const unpriced = `sub_${randomUUID()}`;
  credits.provider.subscriptions.set(unpriced, { user: other, price: 'price_of_something_else' });
  const { user: third } = await newUser(credits.url);
  const missing = await subscribe(credits, third);
  credits.provider.subscriptions.delete(missing);
  const whats = ['second', 'user_unknown', 'price_unknown', 'missing'];
  const before = await Promise.all(whats.map(told));
  await compare();
  const rise = (await Promise.all(whats.map(told))).map((after, place) => after - (before[place] ?? 0));
  expect(
    rise.every((by) => by >= 1),
    rise.join(),
  ).toBe(true);
  for (const subscription of [second, nobodys, unpriced, missing]) {
    expect(await raised(subscription)).toEqual([]);
  }
  expect(await credits.accountOf(user)).toMatchObject({ tier: 'pro', ref: kept });
  expect(await credits.accountOf(third)).toMatchObject({ tier: 'pro', ref: missing });
});

test('many are compared in pages, on from where a failure or another process has come to', async () => {
  const { user } = await newUser(credits.url);
  const oldest = `sub_${randomUUID()}`;
  credits.provider.subscriptions.set(oldest, { user });
  for (let nth = 0; nth < 250; nth += 1) credits.provider.subscriptions.set(`sub_other_${nth}`, {});
  const lists = () =>
    credits.provider.requests
      .filter((request) => request.path === '/v1/subscriptions')
      .map(({ query: sent }) => sent);
  const before = lists().length;
  // The first page is behind it already, as after a crash.
  await query(`UPDATE payment_comparisons SET next_at = 'infinity' WHERE side = 'account'`);
  credits.provider.fail(true);
  await query(
    `UPDATE payment_comparisons SET next_at = clock_timestamp(), cursor = 'sub_other_150' WHERE side = 'provider'`,
  );
  await waitFor(
    async () => (await query(`SELECT FROM payment_comparisons WHERE error LIKE '%500%'`)).length === 1,
    {
      describe: 'the failure to be noted',
    },
  );
  credits.provider.fail(false);
  await waitFor(async () => (await credits.accountOf(user))?.ref === oldest, {
    describe: 'the last page to be compared',
  });
  const sent = lists().slice(before);
  expect(sent.every((one) => one.get('limit') === '100')).toBe(true);
  const places = [...new Set(sent.map((one) => one.get('starting_after')))];
  expect(places).toEqual(['sub_other_150', 'sub_other_50']);
});

test('a place that Stripe refuses begins the round anew', async () => {
  const { user } = await newUser(credits.url);
  const subscription = `sub_${randomUUID()}`;
  credits.provider.subscriptions.set(subscription, { user });
  await query(
    `UPDATE payment_comparisons SET next_at = clock_timestamp(), cursor = 'sub_gone' WHERE side = 'provider'`,
  );
  await waitFor(async () => (await credits.accountOf(user))?.ref === subscription, {
    describe: 'it to be found all the same',
  });
});
