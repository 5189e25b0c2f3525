import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { credits, type Ledger, openLedger } from './ledger-fixture.ts';

let ledger: Ledger;
beforeAll(async () => {
  ledger = await openLedger();
});
afterAll(() => ledger?.close());

const check = (user: string) =>
  ledger.one(sql<{ reason: string; available: bigint | null; active_runs: number }>`
    SELECT reason, available, active_runs FROM check_credits(${user}, 'web.search', 1::numeric)`);
const grantLapses = (grant: string) =>
  ledger.clone.query(
    `UPDATE credit_grants SET expires_at = clock_timestamp() - interval '1 second' WHERE id = $1`,
    [grant],
  );

describe('check_credits counts', () => {
  test('of a hold that is overdue what was not consumed', async () => {
    const user = await ledger.account();
    const { reservation_id } = await ledger.reserve(user, { amount: credits(10) });
    await ledger.consume(reservation_id, { quantity: 3 });
    expect(await check(user)).toMatchObject({ available: credits(90), active_runs: 1 });
    await ledger.lapse(reservation_id);
    expect(await check(user)).toEqual({ reason: 'ok', available: credits(97), active_runs: 0 });
  });

  test("neither another's holds nor those that are settled", async () => {
    const user = await ledger.account();
    const { reservation_id } = await ledger.reserve(await ledger.account());
    const settled = await ledger.reserve(user);
    await ledger.consume(settled.reservation_id);
    await ledger.release(settled.reservation_id);
    for (const id of [reservation_id, settled.reservation_id]) await ledger.lapse(id);
    expect(await check(user)).toEqual({ reason: 'ok', available: credits(99), active_runs: 0 });
  });

  test('no research among the runs', async () => {
    const user = await ledger.account();
    await ledger.one(sql`
      SELECT * FROM reserve_credits(${user}, gen_random_uuid(), 1000000, 'research', '1 hour', p_purpose => 'research')`);
    expect(await check(user)).toEqual({ reason: 'ok', available: credits(99), active_runs: 0 });
  });

  test('no grant that has expired, as far as it is left, and none of another', async () => {
    const user = await ledger.account();
    const stranger = await ledger.account();
    const mine = await ledger.grant(user, credits(50), { expires: '1 day' });
    const theirs = await ledger.grant(stranger, credits(50), { expires: '1 day' });
    expect(await check(user)).toMatchObject({ available: credits(150) });
    await grantLapses(theirs.grant_id);
    expect(await check(user)).toMatchObject({ available: credits(150) });
    await grantLapses(mine.grant_id);
    expect(await check(user)).toMatchObject({ available: credits(100) });
  });

  test('an expired grant against what is there, never into debt', async () => {
    const user = await ledger.account({ available: 0n });
    const { grant_id } = await ledger.grant(user, credits(5), { expires: '1 day' });
    await ledger.reserve(user, { amount: credits(4) });
    await grantLapses(grant_id);
    expect(await check(user)).toMatchObject({ reason: 'insufficient', available: 0n });
  });

  test('nobody in whose subscription has ended', async () => {
    const user = await ledger.account();
    expect(await check(user)).toMatchObject({ reason: 'ok' });
    await ledger.clone.query(
      `UPDATE user_subscriptions SET status = 'ended', ended_at = now() WHERE user_id = $1`,
      [user],
    );
    expect(await check(user)).toMatchObject({ reason: 'insufficient', available: credits(100) });
  });
});

describe('grant_monthly_credits', () => {
  test('passes by an account that is in use, and comes back for it', async () => {
    const [busy, free] = [await ledger.account(), await ledger.account()];
    const renewed = async () => {
      const rows = await ledger.database.serviceStatement(sql<{ user_id: string }>`
        SELECT user_id FROM grant_monthly_credits(clock_timestamp() + interval '40 days', 1000)`);
      return rows.map(({ user_id }) => user_id);
    };
    const meanwhile = await ledger.database.withService(async (tx) => {
      await sql`SELECT reserve_credits(${busy}, gen_random_uuid(), 1, 'lock', interval '1 hour', NULL, NULL)`.execute(
        tx,
      );
      return renewed();
    });
    expect(meanwhile).toContain(free);
    expect(meanwhile).not.toContain(busy);
    expect(await renewed()).toContain(busy);
  });

  test('begins periods under the terms that hold by then, whoever applies those', async () => {
    const user = await ledger.account();
    await ledger.clone.query(
      `INSERT INTO subscription_tier_versions (tier_code, version, terms, effective_from)
       SELECT tier_code, 2, terms || '{"monthly_credits_micro": 7000000}', clock_timestamp()
       FROM subscription_tier_versions WHERE tier_code = 'free'`,
    );
    const renewed = await ledger.database.serviceStatement(sql<{ user_id: string; granted: bigint }>`
      SELECT user_id, granted FROM grant_monthly_credits(clock_timestamp() + interval '32 days', 1000)`);
    expect(renewed.find(({ user_id }) => user_id === user)?.granted).toBe(credits(7));
  });
});
