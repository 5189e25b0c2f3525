import { randomUUID } from 'node:crypto';
import { subscriptionChanged } from '@swissbrain/shared-schema/events/credits';
import { subscriptionView } from '@swissbrain/shared-schema/http/credits';
import { call, expectProblem } from '@swissbrain/testkit/http-cases';
import { mintToken } from '@swissbrain/testkit/tokens';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeRefusals, newUser, post } from './api-fixture.ts';
import { type CreditsUnderTest, startCredits } from './service-fixture.ts';

let credits: CreditsUnderTest;
beforeAll(async () => {
  credits = await startCredits();
});
afterAll(() => credits?.stop());

const path = '/v1/credits/subscription';
const give = (user: string, tier: string) =>
  credits.database.query('SELECT change_tier($1, $2, $3)', [user, tier, randomUUID()]);
const choose = (token: string, tier: string, key: string = randomUUID()) =>
  post(credits.url, path, { token, body: { tier }, key });
const changes = async (user: string) => {
  const rows = await credits.database.query<{ data: unknown; seq: bigint }>(
    `SELECT data, aggregate_seq AS seq FROM event_outbox WHERE user_id = $1 AND type = 'subscription.changed'
     ORDER BY aggregate_seq`,
    [user],
  );
  expect(rows.map(({ seq }) => seq)).toEqual(rows.map((_, i) => BigInt(i + 1)));
  return rows.map(({ data }) => subscriptionChanged.data.parse(data));
};
const renew = (user: string, months = 1) =>
  credits.database.query(
    `SELECT grant_monthly_credits(current_period_end + $2 * interval '1 month' - interval '27 days', 1000)
     FROM user_subscriptions WHERE user_id = $1 AND status <> 'ended'`,
    [user, months],
  );

describe('a user', () => {
  test('goes down, back and away, each at the end of the period', async () => {
    const { user, token } = await newUser(credits.url);
    await give(user, 'team');
    const answer = async (tier: string) => subscriptionView.parse((await choose(token, tier)).body);
    expect(await answer('pro')).toMatchObject({ tier: 'team', next_tier: 'pro', external: false });
    expect(await answer('team')).toMatchObject({ tier: 'team', next_tier: null });
    expect(await answer('free')).toMatchObject({ tier: 'team', next_tier: 'free' });
    await renew(user);
    const { body } = await call(credits.url, path, { token });
    expect(body).toMatchObject({ tier: 'free', next_tier: null });
    expect(
      (await changes(user)).map(({ change, tier, previous_tier }) => [change, previous_tier, tier]),
    ).toEqual([
      ['upgraded', 'free', 'team'],
      ['downgrade_scheduled', 'team', 'team'],
      ['change_withdrawn', 'team', 'team'],
      ['cancel_scheduled', 'team', 'team'],
      ['cancelled', 'team', 'free'],
    ]);
  });

  test('asks again under the same key without effect, and with another tier in vain', async () => {
    const { user, token } = await newUser(credits.url);
    await give(user, 'team');
    const key = randomUUID();
    await choose(token, 'pro', key);
    const repeat = await choose(token, 'pro', key);
    expect(repeat.headers.get('idempotency-replayed')).toBe('true');
    expectProblem(await choose(token, 'free', key), 409, 'request_key_reused');
    expect((await changes(user)).map(({ change }) => change)).toEqual(['upgraded', 'downgrade_scheduled']);
  });

  test('does not go up by themselves, nor change what the provider keeps', async () => {
    const { user, token } = await newUser(credits.url);
    expectProblem(await choose(token, 'pro'), 403, 'tier_needs_payment');
    await give(user, 'pro');
    await credits.database.query('UPDATE user_subscriptions SET external_ref = $2 WHERE user_id = $1', [
      user,
      `sub_${user}`,
    ]);
    expectProblem(await choose(token, 'free'), 403, 'tier_needs_payment');
    expect((await call(credits.url, path, { token })).body).toMatchObject({ tier: 'pro', external: true });
  });
});

describe('subscription.changed', () => {
  test('tells of each new period, and of the end with the user', async () => {
    const { user } = await newUser(credits.url);
    await renew(user);
    await renew(user);
    await credits.database.query('SELECT close_account($1)', [user]);
    const facts = await changes(user);
    expect(facts.map(({ change, status }) => [change, status])).toEqual([
      ['renewed', 'active'],
      ['renewed', 'active'],
      ['ended', 'ended'],
    ]);
    expect(facts[1]?.period_start).toBe(facts[0]?.period_end);
  });
});

describe('refuses', () => {
  describeRefusals(
    () => credits.url,
    [
      { method: 'GET', path },
      { method: 'POST', path, body: { tier: 'free' }, badBodies: [{ tier: 1 }, { tier: 'Free!' }] },
    ],
  );

  test('tiers that are not there, and users without a subscription', async () => {
    const { user, token } = await newUser(credits.url);
    expectProblem(await choose(token, 'platinum'), 404, 'tier_not_found');
    await credits.database.query('SELECT close_account($1)', [user]);
    expectProblem(await call(credits.url, path, { token }), 404, 'subscription_not_found');
    expectProblem(await choose(token, 'free'), 404, 'subscription_not_found');
    expectProblem(await choose(await mintToken(), 'free'), 404, 'account_pending');
  });
});
