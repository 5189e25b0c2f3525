import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { credits, expectNoDrift, expectState, type Ledger, openLedger } from './ledger-fixture.ts';

let ledger: Ledger;
beforeAll(async () => {
  ledger = await openLedger();
});
afterAll(() => ledger?.close());

const largest = 2n ** 63n - 1n;

describe('adjust_credits', () => {
  test('refunds never exceed what was charged', async () => {
    const user = await ledger.account();
    const { reservation_id } = await ledger.reserve(user);
    const { transaction_id: reverses } = await ledger.consume(reservation_id, { quantity: 4 });
    expect(await ledger.adjust(user, credits(3), { reverses, key: 'r1' })).toMatchObject({
      status: 'adjusted',
    });
    expect(await ledger.adjust(user, credits(3), { reverses, key: 'r1' })).toMatchObject({
      status: 'replayed',
    });
    expect(await ledger.adjust(user, credits(2), { reverses })).toMatchObject({ status: 'exceeds_original' });
    expect(await ledger.adjust(user, credits(1), { reverses })).toMatchObject({ status: 'adjusted' });
    await expectState(ledger.adjust(user, credits(1), { reverses: randomUUID() }), 'CR404');
    await expectState(ledger.adjust(await ledger.account(), credits(1), { reverses }), 'CR404');
    await expectNoDrift(ledger, user);
  });

  test('takes no more than there is', async () => {
    const user = await ledger.account();
    expect(await ledger.adjust(user, credits(-101))).toMatchObject({ status: 'insufficient' });
    expect(await ledger.adjust(user, credits(-100))).toMatchObject({ status: 'adjusted', available: 0n });
    await expectState(ledger.adjust(user, 0n), '22023');
    await expectState(ledger.adjust(user, largest * 2n), '22003');
    await expectNoDrift(ledger, user);
  });
});

describe('an adjustment', () => {
  test('upwards is made in debt too, also when it does not cover that', async () => {
    const user = await ledger.account({ available: credits(1) });
    const { reservation_id } = await ledger.reserve(user, { amount: credits(1) });
    await ledger.consume(reservation_id, { quantity: 6 });
    await ledger.release(reservation_id);
    expect(await ledger.adjust(user, credits(2))).toMatchObject({
      ...{ status: 'adjusted', available: credits(-3) },
    });
    expect(await ledger.balance(user)).toMatchObject({ debt: credits(3) });
    await expectNoDrift(ledger, user);
  });

  test('downwards has no bound on an unlimited account', async () => {
    const user = await ledger.account({ tier: 'enterprise' });
    expect(await ledger.adjust(user, credits(-1_000))).toMatchObject({ status: 'adjusted', available: null });
    expect(await ledger.balance(user)).toMatchObject({ available: credits(-900), debt: credits(900) });
    await expectNoDrift(ledger, user);
  });

  test('that is refused is an entry, and its key stays refused', async () => {
    const user = await ledger.account();
    const ask = () => ledger.adjust(user, credits(-101), { key: 'too much' });
    expect(await ask()).toMatchObject({ status: 'insufficient', transaction_id: null });
    await ledger.grant(user, credits(10));
    expect(await ask()).toMatchObject({ status: 'insufficient' });
    const denied = await ledger.clone.query(
      `SELECT cause, idempotency_key, amount_micro AS amount FROM credit_transactions
       WHERE user_id = $1 AND kind = 'denied'`,
      [user],
    );
    expect(denied).toEqual([{ cause: 'insufficient', idempotency_key: 'too much', amount: 0n }]);
    await expectNoDrift(ledger, user);
  });
});

describe('grant_credits', () => {
  test('is done once by whoever is first of many with one key', async () => {
    const user = await ledger.account();
    const replies = await Promise.all(
      Array.from({ length: 12 }, () => ledger.grant(user, credits(5), { key: 'once' })),
    );
    expect(replies.map(({ status }) => status).toSorted()).toEqual([
      'granted',
      ...Array.from({ length: 11 }, () => 'replayed'),
    ]);
    expect(new Set(replies.map(({ grant_id }) => grant_id)).size).toBe(1);
    expect((await ledger.balance(user)).credited).toBe(credits(105));
    await expectNoDrift(ledger, user);
  });

  test('takes the name of another grant for a key like any other', async () => {
    const user = await ledger.account();
    const [monthly] = await ledger.clone.query<{ id: string; source_ref: string }>(
      'SELECT id, source_ref FROM credit_grants WHERE user_id = $1',
      [user],
    );
    const given = await ledger.grant(user, credits(5), { source: 'promo', key: monthly?.source_ref ?? '' });
    expect(given.status).toBe('granted');
    expect(given.grant_id).not.toBe(monthly?.id);
    await expectNoDrift(ledger, user);
  });

  test('gives once under a key, and presents are spent before the month and bought credits last', async () => {
    const user = await ledger.account({ available: credits(10) });
    const bought = await ledger.grant(user, credits(5), { source: 'top_up', key: 'invoice 1' });
    expect(bought).toMatchObject({ status: 'granted', available: credits(15) });
    expect(await ledger.grant(user, credits(5), { source: 'top_up', key: 'invoice 1' })).toEqual({
      ...bought,
      status: 'replayed',
    });
    await expectState(ledger.grant(user, credits(6), { source: 'top_up', key: 'invoice 1' }), 'CR409');
    await ledger.grant(user, credits(5), { source: 'promo' });
    await ledger.grant(user, credits(5), { source: 'trial', expires: '1 day' });
    const { reservation_id } = await ledger.reserve(user, { amount: credits(21) });
    await ledger.consume(reservation_id, { quantity: 21 });
    await ledger.release(reservation_id);
    const left = await ledger.clone.query(
      `SELECT source, remaining_micro AS left FROM credit_grants WHERE user_id = $1 ORDER BY priority, expires_at NULLS LAST`,
      [user],
    );
    expect(left).toEqual([
      { source: 'trial', left: 0n },
      { source: 'promo', left: 0n },
      { source: 'monthly', left: 0n },
      { source: 'top_up', left: credits(4) },
    ]);
    await expectNoDrift(ledger, user);
  });

  test('refuses what is no grant', async () => {
    const user = await ledger.account();
    for (const source of ['monthly', 'adjust', '']) {
      await expectState(ledger.grant(user, 1n, { source }), '22023');
    }
    for (const amount of [0n, -1n]) await expectState(ledger.grant(user, amount), '22023');
    await expectState(ledger.grant(user, 1n, { expires: '-1 second' }), '22023');
    for (const priority of [-1, 101]) await expectState(ledger.grant(user, 1n, { priority }), '22023');
    await expectState(ledger.grant(randomUUID(), 1n), 'CR404');
    expect((await ledger.balance(user)).credited).toBe(credits(100));
  });

  test('what expires within a period is swept, except what a hold pins, and nobody spends it meanwhile', async () => {
    const user = await ledger.account({ available: credits(10) });
    await ledger.grant(user, credits(20), { source: 'promo', expires: '1 hour' });
    const { reservation_id } = await ledger.reserve(user, { amount: credits(25) });
    await ledger.clone.query(
      `UPDATE credit_grants SET expires_at = clock_timestamp() WHERE user_id = $1 AND source = 'promo'`,
      [user],
    );
    const sweep = async () => {
      const rows = await ledger.clone.query<{ user_id: string; expired: bigint }>(
        'SELECT * FROM expire_grants_due(10)',
      );
      return rows.filter((row) => row.user_id === user).map(({ expired }) => expired);
    };
    expect(await sweep()).toEqual([credits(5)]);
    expect(await sweep()).toEqual([]);
    expect((await ledger.extend(reservation_id, 1n)).status).toBe('insufficient');
    await ledger.consume(reservation_id, { quantity: 6 });
    await ledger.release(reservation_id);
    // Of the 20 presents 5 were swept and 6 used; 9 went with the end of the hold.
    expect(await ledger.balance(user)).toMatchObject({ available: credits(10), debt: 0n });
    await expectNoDrift(ledger, user);
  });
});

describe('credits.exhausted and the grant after it', () => {
  const lastOf = async (user: string, type: string) =>
    (await ledger.events(user)).filter((event) => event.type === type).at(-1)?.data;

  test('a grant that leaves something names the runs to resume, one that only repays names none', async () => {
    const user = await ledger.account({ available: credits(2) });
    const run = randomUUID();
    const { reservation_id } = await ledger.reserve(user, { run, amount: credits(2) });
    await ledger.consume(reservation_id, { quantity: 5 });
    expect(await lastOf(user, 'credits.exhausted')).toMatchObject({
      reason: 'balance',
      debt_micro: '3000000',
    });
    await ledger.grant(user, credits(3));
    expect(await lastOf(user, 'credits.granted')).toMatchObject({
      user_id: user,
      available_micro: '0',
      resumable: [],
    });
    await ledger.grant(user, credits(4));
    expect(await lastOf(user, 'credits.granted')).toMatchObject({
      available_micro: '4000000',
      resumable: [{ run_id: run, reservation_id }],
    });
    // It has gone on: a later grant does not name it any more.
    await ledger.extend(reservation_id, credits(2));
    await ledger.grant(user, credits(1));
    expect(await lastOf(user, 'credits.granted')).toMatchObject({ resumable: [] });
    await expectNoDrift(ledger, user);
  });

  test('a run that has used up its own budget is told so, and no grant resumes it', async () => {
    const user = await ledger.account();
    const { reservation_id } = await ledger.reserve(user, { amount: credits(2), budget: credits(2) });
    await ledger.consume(reservation_id, { quantity: 3 });
    expect(await lastOf(user, 'credits.exhausted')).toMatchObject({ reason: 'budget', debt_micro: '0' });
    await ledger.grant(user, credits(4));
    expect(await lastOf(user, 'credits.granted')).toMatchObject({ resumable: [] });
    await expectNoDrift(ledger, user);
  });
});
