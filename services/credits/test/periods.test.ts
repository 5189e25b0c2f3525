import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { credits, expectNoDrift, type Ledger, openLedger } from './ledger-fixture.ts';

let ledger: Ledger;
beforeAll(async () => {
  ledger = await openLedger({ connections: 8 });
});
afterAll(() => ledger?.close());

interface Renewal {
  readonly granted: bigint;
  readonly rolled: bigint;
  readonly expired: bigint;
  readonly skipped: number;
}

/** Runs the monthly job as if so much time had passed, and returns what it did for a user. */
async function renewAfter(user: string, passed: string): Promise<Renewal[]> {
  const rows = await ledger.database.serviceStatement(sql<Renewal & { user_id: string }>`
    SELECT user_id, granted, rolled, expired, skipped
    FROM grant_monthly_credits(clock_timestamp() + ${passed}::interval, 1000)`);
  return rows.filter((row) => row.user_id === user).map(({ user_id: _, ...renewal }) => renewal);
}

const periods = async (anchor: string, zone: string, from: string, months: number) =>
  ledger.clone.query<{ start: string; end: string; number: number }>(
    `WITH RECURSIVE period AS (
       SELECT p.*, 1 AS n FROM sb.billing_period($1, $2, $3) p
       UNION ALL SELECT p.*, n + 1 FROM period prev, sb.billing_period($1, $2, prev.period_end) p WHERE n < $4
     )
     SELECT number, to_char(period_start AT TIME ZONE $2, 'YYYY-MM-DD HH24:MI') AS start,
            to_char(period_end AT TIME ZONE $2, 'YYYY-MM-DD HH24:MI') AS end FROM period`,
    [anchor, zone, from, months],
  );

describe('billing periods', () => {
  test('31 January gives the end of February and 31 March again', async () => {
    const rows = await periods('2027-01-31T12:00:00Z', 'UTC', '2027-01-31T12:00:00Z', 4);
    expect(rows.map(({ start }) => start.slice(0, 10))).toEqual([
      '2027-01-31',
      '2027-02-28',
      '2027-03-31',
      '2027-04-30',
    ]);
  });

  test('29 February comes back in a leap year', async () => {
    const rows = await periods('2028-02-29T00:00:00Z', 'UTC', '2028-02-29T00:00:00Z', 49);
    expect(rows[12]?.start).toBe('2029-02-28 00:00');
    expect(rows[48]?.start).toBe('2032-02-29 00:00');
  });

  test.each([
    ['Europe/Zurich', '2026-08-25T00:30:00Z'],
    ['America/New_York', '2026-10-01T05:30:00Z'],
    ['Australia/Lord_Howe', '2026-09-30T16:15:00Z'],
    ['Pacific/Apia', '2026-01-31T10:00:00Z'],
  ])('tile time over the changes of clocks in %s, at the local hour', async (zone, anchor) => {
    const rows = await periods(anchor, zone, anchor, 30);
    expect(rows).toHaveLength(30);
    rows.forEach((row, i) => {
      expect(row.number).toBe(i);
      expect(row.start).toBe(i === 0 ? row.start : rows[i - 1]?.end);
    });
    const hours = rows.map(({ start }) => start.slice(11));
    // A local hour that a change of clocks leaves out is the next one that there is.
    expect(hours.filter((hour) => hour === hours[0]).length).toBeGreaterThanOrEqual(28);
  });
});

describe('grant_monthly_credits', () => {
  test('does nothing before the period is over, and each period once', async () => {
    const user = await ledger.account();
    expect(await renewAfter(user, '1 day')).toEqual([]);
    const once = [{ granted: credits(100), rolled: 0n, expired: credits(100), skipped: 0 }];
    expect(await renewAfter(user, '32 days')).toEqual(once);
    expect(await renewAfter(user, '32 days')).toEqual([]);
    expect((await ledger.balance(user)).available).toBe(credits(100));
    await expectNoDrift(ledger, user);
  });

  test('two workers at once grant once', async () => {
    const users = await Promise.all(Array.from({ length: 10 }, () => ledger.account()));
    const renewed = await Promise.all(
      Array.from({ length: 4 }, () =>
        ledger.database.serviceStatement(sql<{ user_id: string }>`
          SELECT user_id FROM grant_monthly_credits(clock_timestamp() + interval '32 days', 1000)`),
      ),
    );
    const ours = renewed.flat().filter(({ user_id }) => users.includes(user_id));
    expect(ours).toHaveLength(10);
    for (const user of users) {
      expect((await ledger.balance(user)).credited).toBe(credits(200));
    }
    await expectNoDrift(ledger, ...users);
  });

  test('after three months of silence it grants the current one and counts what was missed', async () => {
    const user = await ledger.account({ tier: 'pro' });
    const [renewal] = await renewAfter(user, '100 days');
    expect(renewal).toEqual({ granted: credits(1000), rolled: 0n, expired: credits(1000), skipped: 2 });
    await expectNoDrift(ledger, user);
  });

  test('rolls over up to the tier, once', async () => {
    const user = await ledger.account({ tier: 'pro' });
    expect((await renewAfter(user, '32 days'))[0]).toMatchObject({
      rolled: credits(500),
      expired: credits(1000),
    });
    expect((await ledger.balance(user)).available).toBe(credits(1500));
    // The 500 that came from the month before are gone with this one; only its own 1,000 count.
    expect((await renewAfter(user, '63 days'))[0]).toMatchObject({
      rolled: credits(500),
      expired: credits(1500),
    });
    await expectNoDrift(ledger, user);
  });

  test.each([
    ['less than the minimum is left', { min: 300n, max: 500n, left: 20n }, 300n],
    ['something between is left', { min: 300n, max: 500n, left: 400n }, 400n],
    ['more than the maximum is left', { min: 300n, max: 500n, left: 900n }, 500n],
    ['nothing is left and there is no minimum', { min: 0n, max: 500n, left: 0n }, 0n],
    ['nothing may roll', { min: 0n, max: 0n, left: 900n }, 0n],
  ])('rolls over between minimum and maximum of the tier: %s', async (_name, { min, max, left }, rolled) => {
    const user = await ledger.account({ tier: 'team' });
    await ledger.adjust(user, credits(Number(left)) - (await ledger.balance(user)).available);
    await ledger.clone.query(
      `UPDATE subscription_tiers SET rollover_min_micro = $1, rollover_max_micro = $2 WHERE code = 'team'`,
      [min * credits(1), max * credits(1)],
    );
    expect((await renewAfter(user, '32 days'))[0]).toMatchObject({
      rolled: rolled * credits(1),
      expired: left * credits(1),
    });
    expect((await ledger.balance(user)).available).toBe(credits(5000) + rolled * credits(1));
    await expectNoDrift(ledger, user);
    await ledger.clone.query(
      `UPDATE subscription_tiers SET rollover_min_micro = 0, rollover_max_micro = 2500000000 WHERE code = 'team'`,
    );
  });

  test('a hold pins what it covers; the rest of it expires when it ends', async () => {
    const user = await ledger.account();
    const { reservation_id } = await ledger.reserve(user, { amount: credits(30) });
    await ledger.consume(reservation_id, { quantity: 10 });
    expect((await renewAfter(user, '32 days'))[0]).toMatchObject({
      expired: credits(70),
      granted: credits(100),
    });
    expect(await ledger.balance(user)).toMatchObject({ available: credits(100), reserved: credits(30) });
    await expectNoDrift(ledger, user);
    // The old grant has expired for the test's clock only: for the database's it has now.
    await ledger.clone.query(
      `UPDATE credit_grants SET expires_at = clock_timestamp() WHERE user_id = $1 AND amount_micro = 100000000
       AND id = (SELECT id FROM credit_grants WHERE user_id = $1 ORDER BY created_at LIMIT 1)`,
      [user],
    );
    await ledger.release(reservation_id);
    expect(await ledger.balance(user)).toMatchObject({ available: credits(100), reserved: 0n, debt: 0n });
    await expectNoDrift(ledger, user);
  });

  test('a reservation does not wait for the job: a period that is over is renewed on the way', async () => {
    const user = await ledger.account();
    await ledger.adjust(user, credits(-100));
    await ledger.clone.query(
      `UPDATE user_subscriptions SET anchor_at = anchor_at - interval '40 days',
         current_period_start = current_period_start - interval '40 days',
         current_period_end = current_period_end - interval '40 days' WHERE user_id = $1`,
      [user],
    );
    expect((await ledger.reserve(user, { amount: credits(100) })).status).toBe('reserved');
    await expectNoDrift(ledger, user);
  });
});

describe('change_tier', () => {
  test('up at once with the difference, down when the period ends', async () => {
    const user = await ledger.account();
    expect(await ledger.changeTier(user, 'team', 'up')).toEqual({ status: 'upgraded' });
    expect(await ledger.changeTier(user, 'team', 'up')).toEqual({ status: 'replayed' });
    expect((await ledger.balance(user)).available).toBe(credits(5000));
    expect(await ledger.changeTier(user, 'free')).toEqual({ status: 'scheduled' });
    expect((await ledger.balance(user)).available).toBe(credits(5000));
    expect((await renewAfter(user, '32 days'))[0]).toMatchObject({
      granted: credits(100),
      rolled: credits(2500),
    });
    await expectNoDrift(ledger, user);
  });

  test('who leaves an unlimited tier in the red starts from zero', async () => {
    const user = await ledger.account({ tier: 'enterprise' });
    const { reservation_id } = await ledger.reserve(user, { amount: credits(5000) });
    await ledger.consume(reservation_id, { operation: 'image.generation', quantity: 400 });
    await ledger.release(reservation_id);
    expect((await ledger.balance(user)).available).toBe(credits(-3900));
    await ledger.changeTier(user, 'pro');
    await renewAfter(user, '32 days');
    expect(await ledger.balance(user)).toMatchObject({ available: credits(1000), debt: 0n });
    await expectNoDrift(ledger, user);
  });
});
