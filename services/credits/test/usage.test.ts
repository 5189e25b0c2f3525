import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { credits, expectNoDrift, expectState, type Ledger, openLedger, usageItem } from './ledger-fixture.ts';

let ledger: Ledger;
beforeAll(async () => {
  ledger = await openLedger();
});
afterAll(() => ledger?.close());

const largest = 2n ** 63n - 1n;

describe('consume_credits', () => {
  test('counts on the reservation and leaves the account alone', async () => {
    const user = await ledger.account();
    const { reservation_id } = await ledger.reserve(user);
    const before = await ledger.balance(user);
    const key = randomUUID();
    const step = randomUUID();
    const first = await ledger.consume(reservation_id, { key, step, quantity: 3 });
    expect(first).toMatchObject({ status: 'consumed', cost: credits(3), held_left: credits(7), debt: 0n });
    expect(await ledger.consume(reservation_id, { key, step, quantity: 3 })).toEqual({
      ...first,
      status: 'replayed',
    });
    await expectState(ledger.consume(reservation_id, { key, step, quantity: 4 }), 'CR409');
    expect(await ledger.balance(user)).toEqual(before);
    expect(await ledger.reservation(reservation_id)).toMatchObject({ consumed: credits(3) });
    await expectNoDrift(ledger, user);
  });

  test('extends from what is available, then goes into debt down to the limit, then is written off', async () => {
    const user = await ledger.account({ available: credits(12) });
    const { reservation_id } = await ledger.reserve(user, { amount: credits(10) });
    const extended = await ledger.consume(reservation_id, { quantity: 11 });
    expect(extended).toMatchObject({ status: 'extended', held_left: 0n, debt: 0n });
    const debt = await ledger.consume(reservation_id, { quantity: 3 });
    expect(debt).toMatchObject({ status: 'debt', debt: credits(2), held_left: 0n });
    // Free may fall to -5: of these 9 credits 3 are charged.
    expect(await ledger.consume(reservation_id, { quantity: 9 })).toMatchObject({
      status: 'debt',
      cost: credits(9),
    });
    expect(await ledger.balance(user)).toMatchObject({ available: credits(-5) });
    expect(await ledger.reservation(reservation_id)).toMatchObject({
      held: credits(17),
      consumed: credits(17),
      written_off: credits(6),
    });
    const exhausted = (await ledger.events(user)).filter(({ type }) => type === 'credits.exhausted');
    expect(exhausted.map(({ data }) => data.debt_micro)).toEqual(['2000000', '5000000']);
    await expectNoDrift(ledger, user);
    await ledger.release(reservation_id);
    await expectNoDrift(ledger, user);
  });

  test('the next grant repays debt first', async () => {
    const user = await ledger.account({ available: credits(1) });
    const { reservation_id } = await ledger.reserve(user, { amount: credits(1) });
    await ledger.consume(reservation_id, { quantity: 4 });
    await ledger.release(reservation_id);
    expect(await ledger.balance(user)).toMatchObject({ available: credits(-3), debt: credits(3) });
    await ledger.adjust(user, credits(10));
    expect(await ledger.balance(user)).toMatchObject({ available: credits(7), debt: 0n });
    await expectNoDrift(ledger, user);
  });

  test('never charges more than the budget, and records what it cost', async () => {
    const user = await ledger.account();
    const { reservation_id } = await ledger.reserve(user, { amount: credits(5), budget: credits(6) });
    expect(await ledger.consume(reservation_id, { quantity: 20 })).toMatchObject({
      status: 'debt',
      cost: credits(20),
    });
    expect(await ledger.reservation(reservation_id)).toMatchObject({
      consumed: credits(6),
      written_off: credits(14),
    });
    expect((await ledger.balance(user)).available).toBe(credits(94));
    await expectNoDrift(ledger, user);
  });

  test('is late after the end: charged to the account, and the reservation stays closed', async () => {
    const user = await ledger.account();
    const { reservation_id } = await ledger.reserve(user);
    await ledger.consume(reservation_id, { quantity: 2 });
    await ledger.release(reservation_id);
    expect(await ledger.consume(reservation_id, { quantity: 4 })).toMatchObject({
      status: 'late',
      cost: credits(4),
      held_left: 0n,
      debt: 0n,
    });
    expect(await ledger.balance(user)).toMatchObject({ debited: credits(6), available: credits(94) });
    expect(await ledger.reservation(reservation_id)).toMatchObject({
      state: 'settled',
      consumed: credits(2),
      late: credits(4),
    });
    await expectNoDrift(ledger, user);
  });

  test('costs what the operation cost when the reservation was made', async () => {
    const user = await ledger.account({ tier: 'pro' });
    const operation = `test.${randomUUID()}`;
    const price = (micro: number, from: string, to: string | null) =>
      ledger.clone.query(
        `INSERT INTO credit_pricing (operation, version, price_micro, per_quantity, unit, description, valid_from, valid_to)
         VALUES ($1, $2, $3, 1, 'unit', 'test', $4, $5)`,
        [operation, micro, micro, from, to],
      );
    await price(1, '2020-01-01T00:00:00Z', null);
    const before = await ledger.reserve(user, { amount: 100n });
    await ledger.consume(before.reservation_id, { operation, quantity: 1 });
    const [row] = await ledger.clone.query<{ at: string }>(
      `UPDATE credit_pricing SET valid_to = clock_timestamp() WHERE operation = $1 RETURNING valid_to::text AS at`,
      [operation],
    );
    await price(2, row?.at ?? '', null);
    expect((await ledger.consume(before.reservation_id, { operation, quantity: 1 })).cost).toBe(1n);
    const after = await ledger.reserve(user, { amount: 100n });
    expect((await ledger.consume(after.reservation_id, { operation, quantity: 1 })).cost).toBe(2n);
    // Exactly at the change the new price holds.
    await ledger.clone.query('UPDATE credit_reservations SET price_as_of = $2 WHERE id = $1', [
      before.reservation_id,
      row?.at,
    ]);
    expect((await ledger.consume(before.reservation_id, { operation, quantity: 1 })).cost).toBe(2n);
    await expect(price(3, '2021-01-01T00:00:00Z', null)).rejects.toMatchObject({ code: '23P01' });
  });

  test('refuses what is no quantity, and writes no row', async () => {
    const user = await ledger.account();
    const { reservation_id } = await ledger.reserve(user);
    const before = await ledger.count('credit_transactions');
    const keys = await ledger.count('credit_idempotency');
    for (const quantity of ['0', '-1', 'NaN', '0.5', 'Infinity']) {
      await expectState(ledger.consume(reservation_id, { quantity }), '22023');
    }
    await expectState(ledger.consume(reservation_id, { quantity: largest }), '22003');
    await expectState(ledger.consume(reservation_id, { quantity: largest + 1n }), '22003');
    await expectState(ledger.consume(reservation_id, { operation: 'telepathy' }), 'CR422');
    await expectState(ledger.consume(randomUUID()), 'CR404');
    expect(await ledger.count('credit_transactions')).toBe(before);
    expect(await ledger.count('credit_idempotency')).toBe(keys);
  });

  test('cost adds up over split quantities and grows with them', async () => {
    const user = await ledger.account();
    const whole = await ledger.reserve(user);
    const all = await ledger.consume(whole.reservation_id, { operation: 'llm.x.output', quantity: 12_345 });
    let parts = 0n;
    for (const quantity of [1, 44, 2_300, 10_000]) {
      parts += (await ledger.consume(whole.reservation_id, { operation: 'llm.x.output', quantity })).cost;
    }
    expect(parts).toBe(all.cost);
  });
});

describe('consume_usage', () => {
  test('takes many lines of several runs and users, duplicates within included', async () => {
    const [one, two] = [await ledger.account(), await ledger.account()];
    const [runOne, runTwo] = [randomUUID(), randomUUID()];
    const held = await ledger.reserve(one, { run: runOne });
    await ledger.reserve(two, { run: runTwo });
    const steps = Array.from({ length: 4 }, () => randomUUID());
    const items = steps.flatMap((step) => [usageItem(runOne, step, 1), usageItem(runTwo, step, 2)]);
    const replies = await ledger.usage([...items, ...items]);
    expect(replies.map(({ status }) => status)).toEqual(['consumed', 'consumed']);
    await ledger.usage(items);
    expect(await ledger.reservation(held.reservation_id)).toMatchObject({ consumed: credits(4) });
    expect((await ledger.reservations(two))[0]).toMatchObject({ consumed: credits(8) });
    const consumed = (await ledger.events(one)).filter(({ type }) => type === 'credits.consumed');
    expect(consumed).toHaveLength(1);
    expect(consumed[0]?.data.lines).toHaveLength(4);
    await expectNoDrift(ledger, one, two);
  });

  test('is all or nothing', async () => {
    const user = await ledger.account();
    const run = randomUUID();
    await ledger.reserve(user, { run });
    const good = usageItem(run, randomUUID(), 1);
    await expectState(ledger.usage([good, usageItem(randomUUID(), randomUUID(), 1)]), 'CR404');
    await expectState(ledger.usage([good, usageItem(run, randomUUID(), 1, 'telepathy')]), 'CR422');
    await expectState(ledger.usage([good, { ...good, quantity: '2' }]), 'CR409');
    expect((await ledger.reservations(user))[0]).toMatchObject({ consumed: 0n });
    await expectNoDrift(ledger, user);
  });

  test('splits the event of a large batch', async () => {
    const user = await ledger.account({ tier: 'team' });
    const run = randomUUID();
    await ledger.reserve(user, { run, amount: credits(1000) });
    await ledger.usage(
      Array.from({ length: 450 }, (_, line) => usageItem(run, randomUUID(), 1, 'web.search', line)),
    );
    const lines = (await ledger.events(user)).filter(({ type }) => type === 'credits.consumed');
    expect(lines.map(({ data }) => (data.lines as unknown[]).length)).toEqual([200, 200, 50]);
    for (const { data } of lines) expect(JSON.stringify(data).length).toBeLessThan(64 * 1024);
    expect(new Set(lines.map(({ seq }) => seq)).size).toBe(3);
  });
});
