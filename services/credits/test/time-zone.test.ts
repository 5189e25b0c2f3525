import { subscriptionChanged } from '@swissbrain/shared-schema/events/credits';
import { type SubscriptionView, subscriptionView } from '@swissbrain/shared-schema/http/credits';
import { call, expectProblem } from '@swissbrain/testkit/http-cases';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newUser } from './api-fixture.ts';
import { type CreditsUnderTest, startCredits } from './service-fixture.ts';

let credits: CreditsUnderTest;
beforeAll(async () => {
  credits = await startCredits();
});
afterAll(() => credits?.stop());

const path = '/v1/credits/subscription';
const patch = (token: string, body: unknown) => call(credits.url, path, { token, method: 'PATCH', body });
const query = <Row extends object>(text: string, ...values: readonly unknown[]) =>
  credits.database.query<Row>(text, [...values]);

async function show(token: string): Promise<SubscriptionView> {
  const { status, body } = await call(credits.url, path, { token });
  expect(status).toBe(200);
  return subscriptionView.parse(body);
}
async function moveTo(token: string, timeZone: string): Promise<SubscriptionView> {
  const { status, body } = await patch(token, { time_zone: timeZone });
  expect(status, JSON.stringify(body)).toBe(200);
  return subscriptionView.parse(body);
}
/** Lets an account begin at a local time long after today, in its zone. */
const beginAt = (user: string, local: string) =>
  query(
    `UPDATE user_subscriptions SET anchor_at = p.anchor, current_period_start = p.anchor, current_period_end = p.next
     FROM (SELECT $2::timestamp AT TIME ZONE time_zone AS anchor,
                  ($2::timestamp + interval '1 month') AT TIME ZONE time_zone AS next
           FROM user_subscriptions WHERE user_id = $1) p WHERE user_id = $1`,
    user,
    local,
  );
/** The monthly job, as if the present period were over, and `more` after it. */
const renew = (user: string, more = '0') =>
  query(
    `SELECT granted, skipped FROM grant_monthly_credits(
       (SELECT current_period_end + $2::interval FROM user_subscriptions WHERE user_id = $1), 1000) WHERE user_id = $1`,
    user,
    more,
  );
const monthlyGrants = async (user: string): Promise<number> => {
  const rows = await query(`SELECT FROM credit_grants WHERE user_id = $1 AND source = 'monthly'`, user);
  return rows.length;
};
/** A time on the clocks of a zone, by this machine and not by the database. */
function localTime(at: string, timeZone: string): string {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' });
  return format.format(new Date(at));
}
const lastDays = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

describe('months in the zone of the user', () => {
  test.each(['Europe/Zurich', 'America/New_York', 'Australia/Lord_Howe'])(
    'from 31 January on, over both changes of clocks, in %s',
    async (zone) => {
      const { user, token } = await newUser(credits.url);
      expect((await moveTo(token, zone)).time_zone).toBe(zone);
      await beginAt(user, '2091-01-31 12:30');
      const views = [await show(token)];
      for (let month = 1; month <= 14; month += 1) {
        await renew(user);
        views.push(await show(token));
      }
      views.forEach((view, month) => {
        const day = month === 13 ? 29 : lastDays[month % 12];
        const date = `${2091 + Math.trunc(month / 12)}-${String((month % 12) + 1).padStart(2, '0')}-${day}`;
        expect(localTime(view.period_start, zone)).toBe(`${date} 12:30`);
        if (month > 0) expect(view.period_start).toBe(views[month - 1]?.period_end);
      });
      // Summer and winter are at different times of the world's clock, so the changes were met.
      const times = new Set(views.map(({ period_start }) => period_start.slice(11)));
      expect(times.size).toBe(2);
      expect(await monthlyGrants(user)).toBe(15);
      expect(await query('SELECT * FROM verify_credits($1)', user)).toEqual([]);
    },
  );

  test('a change leaves the present period, and the next one begins where that ends', async () => {
    const { user, token } = await newUser(credits.url);
    await beginAt(user, '2091-03-01 02:00');
    const before = await show(token);
    // There it was still 28 February.
    const moved = await moveTo(token, 'America/New_York');
    expect(moved).toEqual({ ...before, time_zone: 'America/New_York' });
    await renew(user);
    const next = await show(token);
    expect(next.period_start).toBe(before.period_end);
    expect(localTime(next.period_end, 'America/New_York')).toBe('2091-04-28 21:00');
    await renew(user);
    const later = await show(token);
    expect(later.period_start).toBe(next.period_end);
    expect(localTime(later.period_end, 'America/New_York')).toBe('2091-05-28 21:00');
  });

  test('who moves to and fro every month gets one grant a month all the same', async () => {
    const { user, token } = await newUser(credits.url);
    await beginAt(user, '2091-03-01 02:00');
    let before = await show(token);
    for (let month = 1; month <= 12; month += 1) {
      await moveTo(token, 'America/New_York');
      if (month % 2 === 0) await moveTo(token, 'UTC');
      await renew(user);
      const next = await show(token);
      expect(next.period_start).toBe(before.period_end);
      before = next;
    }
    expect(await monthlyGrants(user)).toBe(13);
    expect(before.period_end).toBe('2092-04-01T02:00:00.000Z');
    expect(await query('SELECT * FROM verify_credits($1)', user)).toEqual([]);
  });

  test('months that passed without a grant are counted as before', async () => {
    const { user, token } = await newUser(credits.url);
    await beginAt(user, '2091-01-31 23:30');
    await moveTo(token, 'Pacific/Apia');
    expect(await renew(user, '70 days')).toEqual([{ granted: 100_000_000n, skipped: 2 }]);
    const view = await show(token);
    // In Apia it was 1 February already, half past twelve.
    expect(localTime(view.period_start, 'Pacific/Apia').slice(8)).toBe('01 12:30');
    expect(localTime(view.period_end, 'Pacific/Apia').slice(8)).toBe('01 12:30');
  });
});

describe('the zone', () => {
  test('is told once, and the same again changes nothing', async () => {
    const { user, token } = await newUser(credits.url);
    const told = async () => {
      const rows = await query<{ data: unknown }>(
        `SELECT data FROM event_outbox WHERE user_id = $1 AND type = 'subscription.changed' ORDER BY aggregate_seq`,
        user,
      );
      return rows.map(({ data }) => subscriptionChanged.data.parse(data).change);
    };
    await moveTo(token, 'Asia/Tokyo');
    await moveTo(token, 'Asia/Tokyo');
    expect(await told()).toEqual(['time_zone_changed']);
  });

  test('is one that there is, of a subscription that lives, and the caller’s own', async () => {
    const { user, token } = await newUser(credits.url);
    for (const name of ['Europe/Atlantis', 'CEST', '+02:00', 'posix/Europe/Zurich', "UTC'; --"]) {
      expectProblem(await patch(token, { time_zone: name }), 422, 'time_zone_unknown');
    }
    for (const body of [{}, { time_zone: 1 }, { time_zone: '' }, { time_zone: 'UTC', tier: 'team' }, []]) {
      expectProblem(await patch(token, body), 400, 'invalid_request');
    }
    const other = await newUser(credits.url);
    await moveTo(other.token, 'Asia/Tokyo');
    expect((await show(token)).time_zone).toBe('UTC');
    expectProblem(
      await call(credits.url, path, { method: 'PATCH', body: { time_zone: 'UTC' } }),
      401,
      'unauthorized',
    );
    await query('DELETE FROM auth.users WHERE id = $1', user);
    await waitFor(async () => (await call(credits.url, path, { token })).status === 404, {
      describe: 'the subscription to end',
    });
    expectProblem(await patch(token, { time_zone: 'UTC' }), 404, 'subscription_not_found');
  });
});
