import { randomUUID } from 'node:crypto';
import { AppError } from '@swissbrain/service-kit/errors';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { credits, expectNoDrift, type Ledger, openLedger, usageItem } from './ledger-fixture.ts';

let ledger: Ledger;
beforeAll(async () => {
  ledger = await openLedger({ connections: 16 });
});
afterAll(() => ledger?.close());

const times = <T>(n: number, make: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => make(i));

describe('admission', () => {
  test('50 concurrent reservations of 1 on a balance of 10: exactly 10 hold', async () => {
    const user = await ledger.account({ tier: 'enterprise' });
    // A limited floor, and no limit of concurrency: only the money decides.
    await ledger.clone.query('UPDATE credit_balances SET overdraft_limit_micro = 0 WHERE user_id = $1', [
      user,
    ]);
    await ledger.adjust(user, credits(10) - (await ledger.balance(user)).available);
    const replies = await Promise.all(times(50, () => ledger.reserve(user, { amount: credits(1) })));
    expect(replies.filter(({ status }) => status === 'reserved')).toHaveLength(10);
    expect(replies.filter(({ status }) => status === 'insufficient')).toHaveLength(40);
    expect(await ledger.balance(user)).toMatchObject({ available: 0n, reserved: credits(10) });
    await expectNoDrift(ledger, user);
  });

  test('limit + 7 runs at once: exactly the limit are live, the others wait', async () => {
    const user = await ledger.account({ tier: 'pro' });
    const replies = await Promise.all(times(10, () => ledger.reserve(user)));
    expect(replies.filter(({ status }) => status === 'reserved')).toHaveLength(3);
    expect(replies.filter(({ status }) => status === 'concurrency_limit')).toHaveLength(7);
    expect((await ledger.balance(user)).reserved).toBe(credits(30));
    await expectNoDrift(ledger, user);
  });

  test('a research holds while all places of the tier are taken, and says until when and at which prices', async () => {
    const user = await ledger.account();
    expect((await ledger.reserve(user)).status).toBe('reserved');
    const [reply] = await ledger.clone.query(
      `SELECT status, held, expires_at, price_as_of
       FROM reserve_credits($1, $2, 5000000, 'research', '1 hour', p_purpose => 'research')`,
      [user, randomUUID()],
    );
    const [row] = await ledger.clone.query(
      `SELECT 'reserved' AS status, held_micro AS held, expires_at, price_as_of FROM credit_reservations
       WHERE user_id = $1 AND purpose = 'research' AND state = 'active'`,
      [user],
    );
    expect(reply).toEqual(row);
    expect((await ledger.reserve(user)).status).toBe('concurrency_limit');
    await expectNoDrift(ledger, user);
  });

  test('a reservation ends what is overdue, and not again what had ended before', async () => {
    const user = await ledger.account({ tier: 'pro' });
    const [ended, overdue] = [await ledger.reserve(user), await ledger.reserve(user)];
    await ledger.release(ended.reservation_id);
    await ledger.lapse(ended.reservation_id);
    await ledger.lapse(overdue.reservation_id);
    expect((await ledger.reserve(user)).status).toBe('reserved');
    expect((await ledger.reservations(user)).map(({ state }) => state)).toEqual([
      'settled',
      'expired',
      'active',
    ]);
    await expectNoDrift(ledger, user);
  });

  test('the same request twenty times at once holds once', async () => {
    const user = await ledger.account();
    const run = randomUUID();
    const replies = await Promise.all(times(20, () => ledger.reserve(user, { run })));
    expect(replies.filter(({ status }) => status === 'reserved')).toHaveLength(1);
    expect(replies.filter(({ status }) => status === 'replayed')).toHaveLength(19);
    expect((await ledger.balance(user)).reserved).toBe(credits(10));
  });
});

describe('the waiting line', () => {
  test('is served in order by releases and expiries, with events, in the transaction that frees the slot', async () => {
    const user = await ledger.account();
    const first = await ledger.reserve(user);
    const line = [];
    for (let i = 0; i < 3; i += 1) line.push(await ledger.reserve(user, { amount: credits(i + 1) }));
    const [second, third, fourth] = line.map((reply) => reply.reservation_id);
    expect(line.map(({ status, held }) => [status, held])).toEqual(times(3, () => ['concurrency_limit', 0n]));

    await ledger.release(first.reservation_id);
    const states = async () => (await ledger.reservations(user)).map(({ state }) => state);
    expect(await states()).toEqual(['settled', 'active', 'waiting', 'waiting']);
    await ledger.lapse(second ?? '');
    await ledger.sweep();
    expect(await states()).toEqual(['settled', 'expired', 'active', 'waiting']);
    await ledger.release(fourth ?? '');
    expect(await states()).toEqual(['settled', 'expired', 'active', 'settled']);
    await ledger.release(third ?? '');

    const { rows } = { rows: await ledger.events(user) };
    const reserved = rows.filter(({ type }) => type === 'credits.reserved');
    expect(reserved.map(({ data }) => data.held_micro)).toEqual(['10000000', '1000000', '2000000']);
    const sameTransaction = await ledger.clone.query<{ n: bigint }>(
      `SELECT count(DISTINCT created_at) AS n FROM event_outbox
       WHERE aggregate_id = $1 AND type = 'credits.released' OR aggregate_id = $2 AND type = 'credits.reserved'`,
      [first.reservation_id, second],
    );
    expect(sameTransaction).toEqual([{ n: 1n }]);
    await expectNoDrift(ledger, user);
  });

  test('passes over who cannot pay any more, for good', async () => {
    const user = await ledger.account({ available: credits(10) });
    const first = await ledger.reserve(user, { amount: credits(6) });
    const poor = await ledger.reserve(user, { amount: credits(10) });
    const frugal = await ledger.reserve(user, { amount: credits(4) });
    await ledger.consume(first.reservation_id, { quantity: 6 });
    await ledger.release(first.reservation_id);
    expect((await ledger.reservation(poor.reservation_id)).state).toBe('denied');
    expect((await ledger.reservation(frugal.reservation_id)).state).toBe('active');
    await expectNoDrift(ledger, user);
  });

  test('moves when the tier rises, and never past its limit', async () => {
    const user = await ledger.account();
    await ledger.reserve(user);
    await Promise.all(times(4, () => ledger.reserve(user)));
    await ledger.changeTier(user, 'pro');
    const states = (await ledger.reservations(user)).map(({ state }) => state);
    expect(states).toEqual(['active', 'active', 'active', 'waiting', 'waiting']);
    await expectNoDrift(ledger, user);
  });

  test('denies the rest when the user is deleted', async () => {
    const user = await ledger.account();
    const live = await ledger.reserve(user);
    const waiting = await ledger.reserve(user);
    await ledger.clone.query('SELECT close_account($1)', [user]);
    expect((await ledger.reservation(waiting.reservation_id)).state).toBe('denied');
    expect((await ledger.reservation(live.reservation_id)).state).toBe('active');
    expect((await ledger.consume(live.reservation_id)).status).toBe('consumed');
    await ledger.release(live.reservation_id);
    await expectNoDrift(ledger, user);
  });
});

describe('many at once', () => {
  test('consumers, closings, extensions, sweeps and reservations on few accounts leave no drift', async () => {
    const users = await Promise.all(times(3, () => ledger.account({ tier: 'pro', available: credits(60) })));
    const runs = users.flatMap((user) => times(5, () => ({ user, run: randomUUID(), step: randomUUID() })));
    const replies = await Promise.all(
      runs.map(({ user, run }) => ledger.reserve(user, { run, amount: credits(8), minimum: credits(1) })),
    );
    const live = runs.filter((_, i) => replies[i]?.status === 'reserved');
    const ids = replies.map(({ reservation_id }) => reservation_id);
    const lapsing = ids.filter((_, i) => i % 5 === 0);
    const everything = [
      // Batches that cross accounts, in different orders, past the holds.
      ...times(30, (i) => () => {
        const part = live.map(({ run }) => usageItem(run, randomUUID(), 1 + (i % 2)));
        return ledger.usage(i % 2 === 0 ? part : part.reverse());
      }),
      ...ids.map((id) => () => ledger.extend(id, credits(1))),
      ...times(5, () => () => ledger.heartbeat(...ids)),
      ...lapsing.map((id) => () => ledger.lapse(id)),
      ...times(5, () => () => ledger.sweep()),
      ...runs.map(
        ({ run, step }) =>
          () =>
            ledger.closeRun(run, [step]),
      ),
      ...live.map(
        ({ run, step }) =>
          () =>
            ledger.usage([usageItem(run, step, 1)]),
      ),
    ];
    const outcomes = await Promise.allSettled(everything.map((call) => call()));
    // A promotion may race a lapse into a lost lock order; then the caller is told to try again, and nothing else.
    const failures = outcomes.filter((outcome) => outcome.status === 'rejected').map(({ reason }) => reason);
    expect(failures.filter((reason) => !(reason instanceof AppError && reason.retry === 'later'))).toEqual(
      [],
    );
    await expectNoDrift(ledger, ...users);
    const recorded = await ledger.clone.query<{ n: bigint }>(
      `SELECT count(*) AS n FROM credit_transactions WHERE kind = 'consume' AND user_id = ANY ($1)`,
      [users],
    );
    const keys = await ledger.clone.query<{ n: bigint }>(
      `SELECT count(*) AS n FROM credit_idempotency WHERE action = 'consume' AND user_id = ANY ($1)`,
      [users],
    );
    expect(recorded).toEqual(keys);
  });
});
