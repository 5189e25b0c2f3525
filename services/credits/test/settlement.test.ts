import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { credits, expectNoDrift, expectState, type Ledger, openLedger, usageItem } from './ledger-fixture.ts';

let ledger: Ledger;
beforeAll(async () => {
  ledger = await openLedger({ connections: 8 });
});
afterAll(() => ledger?.close());

/** Every order of a few things. */
function permutations<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((item, i) => permutations(items.toSpliced(i, 1)).map((rest) => [item, ...rest]));
}

describe('a run settles when its billable steps are recorded', () => {
  const orders = permutations(['step 0', 'step 1', 'step 2', 'closing']);

  test.each(orders.map((order) => [order.join(', '), order]))('%s', async (_name, order) => {
    const user = await ledger.account();
    const run = randomUUID();
    const steps = [randomUUID(), randomUUID(), randomUUID()];
    const { reservation_id } = await ledger.reserve(user, { run, amount: credits(20) });
    const deliver = async (name: string) => {
      if (name === 'closing') return ledger.closeRun(run, steps);
      const index = Number(name.at(-1));
      return ledger.usage([usageItem(run, steps[index] ?? '', index + 1)]);
    };
    // Everything twice: at least once is what a broker promises.
    for (const name of order) {
      await deliver(name);
      await deliver(name);
    }
    expect(await ledger.reservation(reservation_id)).toMatchObject({
      state: 'settled',
      held: credits(20),
      consumed: credits(6),
      released: credits(14),
      late: 0n,
    });
    expect(await ledger.balance(user)).toMatchObject({ debited: credits(6), reserved: 0n, debt: 0n });
    const released = (await ledger.events(user)).filter(({ type }) => type === 'credits.released');
    expect(released).toHaveLength(1);
    await expectNoDrift(ledger, user);
  });

  test('all delivered at once, many times over', async () => {
    const user = await ledger.account();
    const run = randomUUID();
    const steps = Array.from({ length: 10 }, () => randomUUID());
    const { reservation_id } = await ledger.reserve(user, { run, amount: credits(50) });
    const deliveries = steps.flatMap((step) => [
      () => ledger.usage([usageItem(run, step, 2)]),
      () => ledger.usage([usageItem(run, step, 2)]),
      () => ledger.closeRun(run, steps),
    ]);
    await Promise.all(deliveries.map((deliver) => deliver()));
    expect(await ledger.reservation(reservation_id)).toMatchObject({
      state: 'settled',
      consumed: credits(20),
    });
    expect((await ledger.events(user)).filter(({ type }) => type === 'credits.released')).toHaveLength(1);
    await expectNoDrift(ledger, user);
  });

  test('by number where the steps are too many to name', async () => {
    const user = await ledger.account();
    const run = randomUUID();
    const { reservation_id } = await ledger.reserve(user, { run });
    const step = randomUUID();
    expect((await ledger.closeRun(run, 2)).status).toBe('incomplete');
    // Two lines of one step are one step.
    await ledger.usage([usageItem(run, step, 1), usageItem(run, step, 1, 'web.search', 1)]);
    expect((await ledger.reservation(reservation_id)).state).toBe('active');
    await ledger.usage([usageItem(run, randomUUID(), 0, 'file.operation')]);
    expect((await ledger.reservation(reservation_id)).state).toBe('settled');
    await expectNoDrift(ledger, user);
  });

  test('at once when there is nothing billable, and while it waits for a slot', async () => {
    const user = await ledger.account();
    const [live, waiting] = [randomUUID(), randomUUID()];
    await ledger.reserve(user, { run: live });
    await ledger.reserve(user, { run: waiting });
    expect((await ledger.closeRun(waiting, [])).status).toBe('settled');
    expect((await ledger.closeRun(live, [])).status).toBe('settled');
    expect((await ledger.closeRun(live, [])).status).toBe('closed');
    expect(await ledger.balance(user)).toMatchObject({ available: credits(100), reserved: 0n });
    await expectNoDrift(ledger, user);
  });

  test('steps of runs below it draw on its hold and do not count as its own', async () => {
    const user = await ledger.account();
    const run = randomUUID();
    const { reservation_id } = await ledger.reserve(user, { run });
    await ledger.closeRun(run, 1);
    await ledger.usage([{ ...usageItem(run, randomUUID(), 2), run_id: randomUUID() }]);
    expect(await ledger.reservation(reservation_id)).toMatchObject({ state: 'active', consumed: credits(2) });
    await ledger.usage([usageItem(run, randomUUID(), 1)]);
    expect(await ledger.reservation(reservation_id)).toMatchObject({
      state: 'settled',
      consumed: credits(3),
    });
  });

  test('by their names: others do not count, nor what is told of the end again', async () => {
    const user = await ledger.account({ tier: 'pro' });
    const [run, other, named] = [randomUUID(), randomUUID(), randomUUID()];
    const { reservation_id } = await ledger.reserve(user, { run });
    const beside = await ledger.reserve(user, { run: other });
    expect((await ledger.closeRun(run, [named])).status).toBe('incomplete');
    expect((await ledger.closeRun(run, [])).status).toBe('incomplete');
    const closing = await ledger.clone.query(
      'SELECT run_id FROM credit_reservations WHERE closing_event IS NOT NULL AND user_id = $1',
      [user],
    );
    // Nobody has said of the other one that it has ended.
    expect(closing).toEqual([{ run_id: run }]);
    await ledger.usage([usageItem(run, randomUUID(), 1), usageItem(other, randomUUID(), 1)]);
    expect((await ledger.reservation(reservation_id)).state).toBe('active');
    expect((await ledger.reservation(beside.reservation_id)).state).toBe('active');
    await ledger.usage([usageItem(run, named, 1)]);
    expect((await ledger.reservation(reservation_id)).state).toBe('settled');
    expect((await ledger.reservation(beside.reservation_id)).state).toBe('active');
    await expectState(ledger.closeRun(randomUUID(), []), 'CR404');
    await expectNoDrift(ledger, user);
  });

  test('not if the hold was over by then: it has expired, swept or not', async () => {
    const user = await ledger.account();
    const run = randomUUID();
    const { reservation_id } = await ledger.reserve(user, { run });
    await ledger.consume(reservation_id, { quantity: 2 });
    await ledger.lapse(reservation_id);
    expect((await ledger.closeRun(run, [])).status).toBe('closed');
    expect(await ledger.reservation(reservation_id)).toMatchObject({
      ...{ state: 'expired', consumed: credits(2), released: credits(8) },
    });
    await expectNoDrift(ledger, user);
  });

  test('a run that was denied has nothing to settle', async () => {
    const user = await ledger.account();
    const run = randomUUID();
    await ledger.reserve(user, { run, amount: credits(1000) });
    expect((await ledger.closeRun(run, [])).status).toBe('closed');
    await expectNoDrift(ledger, user);
  });

  test('what is still missing is found once per while, by one asker', async () => {
    const user = await ledger.account();
    const run = randomUUID();
    await ledger.reserve(user, { run });
    await ledger.closeRun(run, [randomUUID()]);
    const claim = async () => {
      const rows = await ledger.clone.query<{ run_id: string }>(
        `SELECT run_id FROM claim_incomplete_closings('1 hour', 10)`,
      );
      return rows.filter((row) => row.run_id === run).length;
    };
    expect(await claim()).toBe(0);
    await ledger.clone.query(
      `UPDATE credit_reservations SET closing_at = clock_timestamp() - interval '2 hours' WHERE run_id = $1`,
      [run],
    );
    const claims = await Promise.all([claim(), claim(), claim()]);
    expect(claims.sort()).toEqual([0, 0, 1]);
  });
});

describe('expiry', () => {
  test('is by the time of the database, and what was used stays used', async () => {
    const user = await ledger.account();
    const { reservation_id } = await ledger.reserve(user);
    await ledger.consume(reservation_id, { quantity: 3 });
    expect(await ledger.sweep()).toEqual([]);
    await ledger.lapse(reservation_id);
    expect(await ledger.heartbeat(reservation_id)).toEqual([false]);
    expect((await ledger.extend(reservation_id, 1n)).status).toBe('closed');
    expect(await ledger.sweep()).toEqual([{ reservation_id }]);
    expect(await ledger.sweep()).toEqual([]);
    expect(await ledger.reservation(reservation_id)).toMatchObject({
      state: 'expired',
      consumed: credits(3),
      released: credits(7),
    });
    const expired = (await ledger.events(user)).find(({ type }) => type === 'credits.expired');
    expect(expired?.data).toMatchObject({ consumed_micro: '3000000', released_micro: '7000000' });
    await expectNoDrift(ledger, user);
  });

  test('a heartbeat keeps a hold alive', async () => {
    const user = await ledger.account({ tier: 'pro' });
    const short = await ledger.reserve(user, { ttl: '1 hour' });
    await ledger.clone.query(
      `UPDATE credit_reservations SET expires_at = clock_timestamp() + interval '1 minute' WHERE id = $1`,
      [short.reservation_id],
    );
    expect(await ledger.heartbeat(short.reservation_id, randomUUID())).toEqual([true, false]);
    const [row] = await ledger.clone.query<{ renewed: boolean }>(
      `SELECT expires_at > clock_timestamp() + interval '50 minutes' AS renewed FROM credit_reservations WHERE id = $1`,
      [short.reservation_id],
    );
    expect(row).toEqual({ renewed: true });
  });

  test('work that ends after the hold is charged late, once', async () => {
    const user = await ledger.account();
    const run = randomUUID();
    const step = randomUUID();
    const { reservation_id } = await ledger.reserve(user, { run });
    await ledger.lapse(reservation_id);
    // Not swept yet: the ledger ends it on the way.
    const [reply] = await ledger.usage([usageItem(run, step, 4)]);
    expect(reply?.status).toBe('late');
    await ledger.usage([usageItem(run, step, 4)]);
    expect((await ledger.closeRun(run, [step])).status).toBe('closed');
    expect(await ledger.reservation(reservation_id)).toMatchObject({
      state: 'expired',
      consumed: 0n,
      late: credits(4),
    });
    expect((await ledger.balance(user)).available).toBe(credits(96));
    await expectNoDrift(ledger, user);
  });

  test('racing usage, release, extension and sweep, the hold ends once and no step is lost', async () => {
    for (let round = 0; round < 10; round += 1) {
      const user = await ledger.account();
      const { reservation_id } = await ledger.reserve(user);
      await ledger.lapse(reservation_id);
      await Promise.all([
        ledger.consume(reservation_id, { quantity: 2 }),
        ledger.sweep(),
        ledger.release(reservation_id),
        ledger.extend(reservation_id, credits(1)),
        ledger.consume(reservation_id, { quantity: 1 }),
      ]);
      expect(await ledger.reservation(reservation_id)).toMatchObject({ state: 'expired', late: credits(3) });
      expect((await ledger.balance(user)).available).toBe(credits(97));
      await expectNoDrift(ledger, user);
    }
  });
});
