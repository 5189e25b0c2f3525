import { randomUUID } from 'node:crypto';
import { creditsLow } from '@swissbrain/shared-schema/events/credits';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { credits, expectNoDrift, type Ledger, openLedger, usageItem } from './ledger-fixture.ts';

let ledger: Ledger;
beforeAll(async () => {
  ledger = await openLedger({ connections: 8 });
});
afterAll(() => ledger?.close());

/** The thresholds that were told, in order. */
async function told(user: string): Promise<string[]> {
  const rows = await ledger.clone.query<{ data: unknown }>(
    `SELECT data FROM event_outbox WHERE user_id = $1 AND type = 'credits.low' ORDER BY created_at, data ->> 'account_seq'`,
    [user],
  );
  return rows.map(({ data }) => creditsLow.data.parse(data).threshold);
}
const set = (user: string, thresholds: string[] | null) =>
  ledger.database.serviceStatement(sql`SELECT set_low_thresholds(${user}, ${thresholds}::text[])`);
const hold = async (user: string, amount: number, options: object = {}) =>
  (await ledger.reserve(user, { amount: credits(amount), ...options })).reservation_id;

describe('credits.low', () => {
  test('is told with what crosses a threshold, once, and again after it has risen', async () => {
    const user = await ledger.account();
    await ledger.adjust(user, credits(-79));
    expect(await told(user)).toEqual([]);
    await ledger.adjust(user, credits(-1));
    expect(await told(user)).toEqual([]);
    await ledger.adjust(user, credits('-0.000001'));
    expect(await told(user)).toEqual(['20%']);
    await ledger.adjust(user, credits(-5));
    await ledger.adjust(user, credits(3));
    await ledger.adjust(user, credits(-3));
    expect(await told(user)).toEqual(['20%']);
    await ledger.adjust(user, credits(30));
    await ledger.adjust(user, credits(-30));
    expect(await told(user)).toEqual(['20%', '20%']);
    await expectNoDrift(ledger, user);
  });

  test('holds, extensions, late usage and expiry cross it; usage within a hold does not', async () => {
    const user = await ledger.account({ tier: 'pro' });
    await set(user, ['50', '10']);
    await ledger.adjust(user, credits(-900));
    const run = randomUUID();
    const id = await hold(user, 45, { run });
    expect(await told(user)).toEqual([]);
    await ledger.usage([usageItem(run, randomUUID(), 44)]);
    expect(await told(user)).toEqual([]);
    await ledger.extend(id, credits(6));
    expect(await told(user)).toEqual(['50']);
    await ledger.usage([usageItem(run, randomUUID(), 47)]);
    expect(await told(user)).toEqual(['50', '10']);
    await ledger.release(id);
    await ledger.adjust(user, credits(100));
    await ledger.usage([usageItem(run, randomUUID(), 60)]);
    expect(await told(user)).toEqual(['50', '10', '50']);
    await expectNoDrift(ledger, user);
  });

  test('what a hold gives back when it ends lets it be told again', async () => {
    const user = await ledger.account();
    await ledger.release(await hold(user, 90));
    await ledger.release(await hold(user, 90));
    expect(await told(user)).toEqual(['20%', '20%']);
  });

  test('a new period, in which the old credits expire and new ones come, tells nothing', async () => {
    const user = await ledger.account();
    await ledger.database.serviceStatement(
      sql`SELECT grant_monthly_credits(clock_timestamp() + interval '32 days', 1000)`,
    );
    expect(await told(user)).toEqual([]);
    await ledger.adjust(user, credits(-90));
    expect(await told(user)).toEqual(['20%']);
    await expectNoDrift(ledger, user);
  });

  test('a percentage is of what the period granted, upgrades included', async () => {
    const user = await ledger.account();
    await ledger.changeTier(user, 'pro');
    await ledger.adjust(user, credits(-801));
    expect(await told(user)).toEqual(['20%']);
    await ledger.adjust(user, credits(-150));
    expect(await told(user)).toEqual(['20%', '5%']);
  });

  test('is never told of an unlimited account', async () => {
    const user = await ledger.account({ tier: 'enterprise' });
    await hold(user, 100_000);
    expect(await told(user)).toEqual([]);
  });

  test('is told exactly once whoever crosses it first', async () => {
    const user = await ledger.account({ tier: 'team' });
    await set(user, ['50']);
    await ledger.adjust(user, credits(-4900));
    await Promise.all(Array.from({ length: 8 }, () => hold(user, 10)));
    expect(await told(user)).toEqual(['50']);
    await expectNoDrift(ledger, user);
  });

  test('a user’s own thresholds take the place of the tier’s, until they are taken back', async () => {
    const user = await ledger.account({ available: credits(15) });
    expect(await told(user)).toEqual(['20%']);
    await set(user, ['15.5', '1']);
    expect(await told(user)).toEqual(['20%', '15.5']);
    await set(user, []);
    await ledger.adjust(user, credits(-14));
    expect(await told(user)).toEqual(['20%', '15.5']);
    await set(user, null);
    expect((await told(user)).toSorted()).toEqual(['15.5', '20%', '20%', '5%']);
  });
});
