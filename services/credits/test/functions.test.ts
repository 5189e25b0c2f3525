import { randomUUID } from 'node:crypto';
import { creditsEvents } from '@swissbrain/shared-schema/events/credits';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { credits, expectNoDrift, expectState, type Ledger, openLedger } from './ledger-fixture.ts';

let ledger: Ledger;
beforeAll(async () => {
  ledger = await openLedger();
});
afterAll(() => ledger?.close());

const largest = 2n ** 63n - 1n;

describe('open_account', () => {
  test('gives the Free subscription and one grant, once', async () => {
    const user = randomUUID();
    expect(await ledger.openAccount(user)).toEqual({ opened: true });
    expect(await ledger.openAccount(user)).toEqual({ opened: false });
    expect(await ledger.balance(user)).toMatchObject({ credited: credits(100), available: credits(100) });
    const events = await ledger.events(user);
    expect(events.map(({ type }) => type)).toEqual(['credits.granted']);
    expect(events[0]?.data).toMatchObject({ grant_source: 'monthly', amount_micro: '100000000' });
    await expectNoDrift(ledger, user);
  });

  test('twenty at once open one', async () => {
    const user = randomUUID();
    const opened = await Promise.all(Array.from({ length: 20 }, () => ledger.openAccount(user)));
    expect(opened.filter((row) => row.opened)).toHaveLength(1);
    expect((await ledger.balance(user)).credited).toBe(credits(100));
  });

  test('a deletion that overtakes the creation wins', async () => {
    const user = randomUUID();
    await ledger.one(sql`SELECT close_account(${user}) AS closed`);
    expect(await ledger.openAccount(user)).toEqual({ opened: false });
    expect((await ledger.reserve(user, { amount: 1n })).status).toBe('insufficient');
    await expectNoDrift(ledger, user);
  });
});

describe('check_credits', () => {
  const check = (user: string, operation: string, quantity: string) =>
    ledger.one(sql<{
      allowed: boolean;
      reason: string;
      cost: bigint;
      available: bigint | null;
      unlimited: boolean;
    }>`
      SELECT * FROM check_credits(${user}, ${operation}, ${quantity}::numeric)`);

  test('advises by balance and concurrency, and holds nothing', async () => {
    const user = await ledger.account();
    expect(await check(user, 'image.generation', '10')).toMatchObject({
      allowed: true,
      reason: 'ok',
      cost: credits(100),
      available: credits(100),
      unlimited: false,
    });
    expect(await check(user, 'image.generation', '11')).toMatchObject({
      allowed: false,
      reason: 'insufficient',
    });
    const { reservation_id } = await ledger.reserve(user);
    expect(await check(user, 'web.search', '1')).toMatchObject({
      reason: 'concurrency_limit',
      active_runs: 1,
    });
    await ledger.lapse(reservation_id);
    expect(await check(user, 'web.search', '1')).toMatchObject({ reason: 'ok', available: credits(100) });
    expect((await ledger.balance(user)).reserved).toBe(credits(10));
  });

  test('knows no limit on an unlimited tier', async () => {
    const user = await ledger.account({ tier: 'enterprise' });
    expect(await check(user, 'image.generation', '1000000')).toMatchObject({
      allowed: true,
      unlimited: true,
      available: null,
      max_runs: null,
    });
  });

  test('refuses an unknown account, operation or quantity', async () => {
    const user = await ledger.account();
    await expectState(check(randomUUID(), 'web.search', '1'), 'CR404');
    await expectState(check(user, 'telepathy', '1'), 'CR422');
    for (const quantity of ['-1', 'NaN', '0.5'])
      await expectState(check(user, 'web.search', quantity), '22023');
    await expectState(check(user, 'image.generation', String(largest)), '22003');
  });

  test.each([
    ['llm.gpt-4-turbo.input', 300n],
    ['llm.gpt-4-turbo.output', 600n],
    ['llm.claude-3-opus.input', 450n],
    ['llm.claude-3-opus.output', 900n],
    ['llm.meta/llama-3.1-8b.input', 300n],
    ['llm.meta/llama-3.1-8b.output', 600n],
    ['code.execution', 100n],
    ['wide_research.item', credits(5)],
    ['image.generation', credits(10)],
    ['browser.action', credits(2)],
    ['connector.call', credits(1)],
    ['web.search', credits(1)],
    ['file.operation', 0n],
  ])('one unit of %s costs %s micro-credits', async (operation, cost) => {
    expect((await check(await ledger.account(), operation, '1')).cost).toBe(cost);
  });
});

describe('reserve_credits', () => {
  test('holds the amount, replays, and refuses other input under the same key', async () => {
    const user = await ledger.account();
    const run = randomUUID();
    const first = await ledger.reserve(user, { run, amount: credits(40) });
    expect(first).toMatchObject({ status: 'reserved', held: credits(40), available: credits(60) });
    expect(await ledger.reserve(user, { run, amount: credits(40) })).toEqual({
      ...first,
      status: 'replayed',
    });
    await expectState(ledger.reserve(user, { run, amount: credits(41) }), 'CR409');
    await expectState(ledger.reserve(user, { run, amount: credits(40), key: 'another' }), 'CR409');
    expect(await ledger.balance(user)).toMatchObject({ reserved: credits(40), available: credits(60) });
    await expectNoDrift(ledger, user);
  });

  test('takes less where there is less, down to the minimum and never above the budget', async () => {
    const user = await ledger.account({ tier: 'pro', available: credits(30) });
    const partial = await ledger.reserve(user, {
      amount: credits(100),
      minimum: credits(1),
      budget: credits(20),
    });
    expect(partial).toMatchObject({ status: 'reserved', held: credits(20) });
    const rest = await ledger.reserve(user, { amount: credits(100), minimum: credits(1) });
    expect(rest).toMatchObject({ status: 'reserved', held: credits(10), available: 0n });
    expect((await ledger.reserve(user, { amount: credits(100), minimum: credits(1) })).status).toBe(
      'insufficient',
    );
    await expectNoDrift(ledger, user);
  });

  test.each([0n, -1n])('a budget of %s pays for nothing', async (budget) => {
    const user = await ledger.account();
    expect((await ledger.reserve(user, { budget, minimum: credits(1) })).status).toBe('insufficient');
  });

  test('a denial stays one after a top-up, with its event and its entry', async () => {
    const user = await ledger.account();
    const run = randomUUID();
    const denied = await ledger.reserve(user, { run, amount: credits(101) });
    expect(denied).toMatchObject({ status: 'insufficient', held: 0n });
    await ledger.adjust(user, credits(1000));
    expect(await ledger.reserve(user, { run, amount: credits(101) })).toMatchObject({
      status: 'insufficient',
    });
    expect((await ledger.reservation(denied.reservation_id)).state).toBe('denied');
    const event = (await ledger.events(user)).find(({ type }) => type === 'credits.denied');
    expect(event?.data).toMatchObject({ required_micro: '101000000', available_micro: '100000000' });
    await expectNoDrift(ledger, user);
  });

  test('needs an account', () => expectState(ledger.reserve(randomUUID()), 'CR404'));

  test('refuses what is no amount, key or time, and writes no row', async () => {
    const user = await ledger.account();
    const before = await ledger.count('credit_transactions');
    for (const amount of [0n, -1n]) await expectState(ledger.reserve(user, { amount }), '22023');
    await expectState(ledger.reserve(user, { ttl: '0 seconds' }), '22023');
    await expectState(ledger.reserve(user, { key: '' }), '22023');
    await expectState(ledger.reserve(user, { key: 'k'.repeat(201) }), '22023');
    await expectState(ledger.reserve(user, { minimum: -1n }), '22023');
    expect(await ledger.count('credit_transactions')).toBe(before);
    expect(await ledger.reservations(user)).toEqual([]);
  });

  test('the largest amount there is can be held once on an unlimited tier, twice it overflows', async () => {
    const user = await ledger.account({ tier: 'enterprise' });
    expect((await ledger.reserve(user, { amount: largest })).status).toBe('reserved');
    await expectState(ledger.reserve(user, { amount: 1n }), '22003');
    await expectNoDrift(ledger, user);
  });
});

describe('extend_reservation', () => {
  test('raises by the whole amount or not at all', async () => {
    const user = await ledger.account();
    const { reservation_id } = await ledger.reserve(user, { amount: credits(60), budget: credits(90) });
    expect(await ledger.extend(reservation_id, credits(20), 'a')).toMatchObject({
      status: 'extended',
      held: credits(80),
    });
    expect(await ledger.extend(reservation_id, credits(20), 'a')).toMatchObject({
      status: 'replayed',
      held: credits(80),
    });
    await expectState(ledger.extend(reservation_id, credits(21), 'a'), 'CR409');
    expect((await ledger.extend(reservation_id, credits(11), 'over budget')).status).toBe('insufficient');
    for (const amount of [0n, -1n]) await expectState(ledger.extend(reservation_id, amount), '22023');
    await expectState(ledger.extend(randomUUID(), 1n), 'CR404');
    await ledger.release(reservation_id);
    expect((await ledger.extend(reservation_id, 1n, 'after')).status).toBe('closed');
    await expectNoDrift(ledger, user);
  });

  test('goes up to the budget and to what is there, exactly, and counts as a change of the hold', async () => {
    const user = await ledger.account({ tier: 'pro', available: credits(30) });
    const bounded = await ledger.reserve(user, { amount: credits(5), budget: credits(8) });
    const { seq } = await ledger.reservation(bounded.reservation_id);
    expect(await ledger.extend(bounded.reservation_id, credits(3))).toMatchObject({
      ...{ status: 'extended', held: credits(8), available: credits(22) },
    });
    expect((await ledger.reservation(bounded.reservation_id)).seq).toBe(seq + 1n);
    expect((await ledger.extend(bounded.reservation_id, 1n)).status).toBe('insufficient');
    const open = await ledger.reserve(user, { amount: credits(2) });
    expect((await ledger.extend(open.reservation_id, credits(20) + 1n)).status).toBe('insufficient');
    expect(await ledger.extend(open.reservation_id, credits(20))).toMatchObject({
      ...{ status: 'extended', available: 0n },
    });
    await expectNoDrift(ledger, user);
  });

  test('has no bound on an unlimited account, and none that is over is raised', async () => {
    const user = await ledger.account({ tier: 'enterprise' });
    const { reservation_id } = await ledger.reserve(user);
    expect(await ledger.extend(reservation_id, credits(100_000))).toMatchObject({
      ...{ status: 'extended', available: null },
    });
    await ledger.lapse(reservation_id);
    expect((await ledger.extend(reservation_id, 1n)).status).toBe('closed');
    await expectNoDrift(ledger, user);
  });

  test('has what a new period brings, also before the job that opens periods has come by', async () => {
    const user = await ledger.account();
    const { reservation_id } = await ledger.reserve(user, { amount: credits(100) });
    await ledger.clone.query(
      `UPDATE user_subscriptions SET anchor_at = anchor_at - interval '40 days',
         current_period_start = current_period_start - interval '40 days',
         current_period_end = current_period_end - interval '40 days' WHERE user_id = $1`,
      [user],
    );
    expect(await ledger.extend(reservation_id, credits(100))).toMatchObject({
      ...{ status: 'extended', held: credits(200), available: 0n },
    });
    await expectNoDrift(ledger, user);
  });

  test('a refusal is recorded and does not take the key: after a top-up the same question is answered anew', async () => {
    const user = await ledger.account();
    const { reservation_id } = await ledger.reserve(user, { amount: credits(60) });
    const ask = () => ledger.extend(reservation_id, credits(41), 'step');
    expect((await ask()).status).toBe('insufficient');
    expect((await ask()).status).toBe('insufficient');
    await ledger.adjust(user, credits(1));
    expect(await ask()).toMatchObject({ status: 'extended', held: credits(101) });
    expect(await ask()).toMatchObject({ status: 'replayed', held: credits(101) });
    const denied = await ledger.clone.query(
      `SELECT kind, cause, idempotency_key FROM credit_transactions WHERE user_id = $1 AND kind = 'denied'`,
      [user],
    );
    expect(denied).toEqual(Array(2).fill({ kind: 'denied', cause: 'extend', idempotency_key: 'step' }));
    await expectNoDrift(ledger, user);
  });
});

describe('release_credits', () => {
  test('debits what was used, frees the rest, once', async () => {
    const user = await ledger.account();
    const { reservation_id } = await ledger.reserve(user, { amount: credits(50) });
    await ledger.consume(reservation_id, { quantity: 20 });
    const reply = await ledger.release(reservation_id, 'once');
    expect(reply).toEqual({
      status: 'settled',
      consumed: credits(20),
      released: credits(30),
      available: credits(80),
    });
    expect(await ledger.release(reservation_id, 'once')).toEqual({ ...reply, status: 'replayed' });
    expect((await ledger.release(reservation_id, 'twice')).status).toBe('replayed');
    await expectState(ledger.release(randomUUID()), 'CR404');
    const other = await ledger.reserve(user);
    await expectState(ledger.release(other.reservation_id, 'once'), 'CR409');
    expect(await ledger.balance(user)).toMatchObject({ debited: credits(20), reserved: credits(10) });
    await expectNoDrift(ledger, user);
  });

  test('says what became of a hold that had ended before', async () => {
    const user = await ledger.account();
    const overdue = await ledger.reserve(user);
    await ledger.lapse(overdue.reservation_id);
    expect((await ledger.release(overdue.reservation_id)).status).toBe('already_expired');
    const swept = await ledger.reserve(user);
    await ledger.lapse(swept.reservation_id);
    await ledger.sweep();
    for (const { reservation_id } of [overdue, swept]) {
      expect((await ledger.release(reservation_id, `end of ${reservation_id}`)).status).toBe(
        'already_expired',
      );
      expect((await ledger.release(reservation_id, `end of ${reservation_id}`)).status).toBe(
        'already_expired',
      );
    }
    const settled = await ledger.reserve(user);
    await ledger.release(settled.reservation_id);
    await ledger.lapse(settled.reservation_id);
    expect((await ledger.release(settled.reservation_id)).status).toBe('replayed');
    const denied = await ledger.reserve(user, { amount: credits(1000) });
    expect((await ledger.release(denied.reservation_id, 'end')).status).toBe('denied');
    expect((await ledger.release(denied.reservation_id, 'end')).status).toBe('denied');
    await expectNoDrift(ledger, user);
  });
});

test('every event that the functions append fits its schema', async () => {
  const rows = await ledger.clone.query<{ type: string; data: unknown }>(
    `SELECT DISTINCT ON (type) type, data FROM event_outbox WHERE source = 'credits'`,
  );
  expect(rows.map(({ type }) => type)).toEqual(
    expect.arrayContaining(['credits.reserved', 'credits.denied', 'credits.consumed', 'credits.released']),
  );
  const all = await ledger.clone.query<{ type: string; data: unknown }>(
    'SELECT type, data FROM event_outbox',
  );
  for (const { type, data } of all) {
    const definition = creditsEvents.find((event) => event.type === type);
    expect(definition?.data.safeParse(data).error, `${type} ${JSON.stringify(data)}`).toBeUndefined();
  }
});
