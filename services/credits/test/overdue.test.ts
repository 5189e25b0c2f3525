import { randomUUID } from 'node:crypto';
import { waitFor } from '@swissbrain/testkit/wait';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { credits, expectNoDrift, type Ledger, openLedger } from './ledger-fixture.ts';

let ledger: Ledger;
beforeAll(async () => {
  ledger = await openLedger({ connections: 6 });
});
afterAll(() => ledger?.close());

const isOver = (id: string) =>
  ledger.clone
    .query('SELECT FROM credit_reservations WHERE id = $1 AND expires_at < clock_timestamp()', [id])
    .then((rows) => rows.length > 0);
const someoneWaits = () =>
  ledger.clone
    .query(`SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)
    .then((rows) => rows.length > 0);

describe('a hold that is overdue and not swept yet', () => {
  test('is in nobody’s way: what it held is there for the next run', async () => {
    const user = await ledger.account({ tier: 'pro', available: credits(10) });
    const overdue = await ledger.reserve(user, { amount: credits(10) });
    await ledger.consume(overdue.reservation_id, { quantity: 4 });
    const stranger = await ledger.account();
    const theirs = await ledger.reserve(stranger);
    for (const id of [overdue.reservation_id, theirs.reservation_id]) await ledger.lapse(id);
    const live = await ledger.reserve(user, { amount: credits(6) });
    expect(live).toMatchObject({ status: 'reserved', held: credits(6), available: 0n });
    expect(await ledger.reservation(overdue.reservation_id)).toMatchObject({
      ...{ state: 'expired', consumed: credits(4), released: credits(6) },
    });
    // Neither what lives nor what is another's is touched.
    expect((await ledger.reserve(user, { amount: credits(1) })).status).toBe('insufficient');
    expect((await ledger.reservation(live.reservation_id)).state).toBe('active');
    expect((await ledger.reservation(theirs.reservation_id)).state).toBe('active');
    await expectNoDrift(ledger, user, stranger);
  });

  test.each([
    ['a reservation', (user: string) => ledger.reserve(user, { amount: credits(1) })],
    ['a sweep', () => ledger.sweep()],
  ])(
    'is ended by %s with the usage that was under way, not with what it had read before',
    async (_name, end) => {
      const user = await ledger.account({ tier: 'pro' });
      const { reservation_id } = await ledger.reserve(user, { ttl: '400 milliseconds' });
      const [used, finish] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const usage = ledger.database.withService(async (tx) => {
        await sql`SELECT consume_credits(${reservation_id}, ${randomUUID()}, 'web.search', 3, ${randomUUID()}::uuid, now())`.execute(
          tx,
        );
        used.resolve();
        await finish.promise;
      });
      await used.promise;
      await waitFor(() => isOver(reservation_id), { describe: 'the hold to be over' });
      const ending = end(user);
      await waitFor(someoneWaits, { describe: 'the end to wait for the usage' });
      finish.resolve();
      await Promise.all([usage, ending]);
      expect(await ledger.reservation(reservation_id)).toMatchObject({
        ...{ state: 'expired', consumed: credits(3), released: credits(7) },
      });
      await expectNoDrift(ledger, user);
    },
  );
});

test('a reservation waits for nobody else’s overdue hold', async () => {
  const [user, stranger] = [await ledger.account(), await ledger.account()];
  const { reservation_id } = await ledger.reserve(stranger);
  await ledger.lapse(reservation_id);
  const [locked, finish] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const holder = ledger.database.withService(async (tx) => {
    await sql`SELECT release_credits(${reservation_id}, 'end', 'test')`.execute(tx);
    locked.resolve();
    await finish.promise;
  });
  await locked.promise;
  expect((await ledger.reserve(user)).status).toBe('reserved');
  finish.resolve();
  await holder;
});

describe('a sweep', () => {
  test('takes so many, the oldest first, and what is over alone', async () => {
    const users = await Promise.all(Array.from({ length: 4 }, () => ledger.account()));
    const holds: string[] = [];
    for (const user of users) holds.push((await ledger.reserve(user)).reservation_id);
    const [newest = '', oldest = '', middle = '', living = ''] = holds;
    const lapse = (id: string, ago: string) =>
      ledger.clone.query(
        'UPDATE credit_reservations SET expires_at = clock_timestamp() - $2::interval WHERE id = $1',
        [id, ago],
      );
    await lapse(newest, '1 minute');
    await lapse(oldest, '3 days');
    await lapse(middle, '2 hours');
    expect(await ledger.sweep(1)).toEqual([{ reservation_id: oldest }]);
    expect(await ledger.sweep(1)).toEqual([{ reservation_id: middle }]);
    expect(await ledger.sweep(10)).toEqual([{ reservation_id: newest }]);
    expect(await ledger.sweep(10)).toEqual([]);
    expect((await ledger.reservation(living)).state).toBe('active');
    await expectNoDrift(ledger, ...users);
  });

  test('leaves what lives, and what has ended, of an account of which something is over', async () => {
    const user = await ledger.account({ tier: 'team' });
    const [living, over, settled] = [
      await ledger.reserve(user),
      await ledger.reserve(user),
      await ledger.reserve(user),
    ].map(({ reservation_id }) => reservation_id) as [string, string, string];
    await ledger.release(settled);
    for (const id of [over, settled]) await ledger.lapse(id);
    expect(await ledger.sweep()).toEqual([{ reservation_id: over }]);
    expect((await ledger.reservation(living)).state).toBe('active');
    expect((await ledger.reservation(settled)).state).toBe('settled');
    await expectNoDrift(ledger, user);
  });

  test('does not wait for an account that is in use', async () => {
    const [busy, idle] = [await ledger.account(), await ledger.account()];
    const [held = '', free = ''] = [await ledger.reserve(busy), await ledger.reserve(idle)].map(
      ({ reservation_id }) => reservation_id,
    );
    for (const id of [held, free]) await ledger.lapse(id);
    const [locked, finish] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const holder = ledger.database.withService(async (tx) => {
      await sql`SELECT release_credits(${held}, 'end', 'test')`.execute(tx);
      locked.resolve();
      await finish.promise;
    });
    await locked.promise;
    expect(await ledger.sweep()).toEqual([{ reservation_id: free }]);
    finish.resolve();
    await holder;
    expect(await ledger.sweep()).toEqual([]);
    expect((await ledger.reservation(held)).state).toBe('expired');
    await expectNoDrift(ledger, busy, idle);
  });
});

test('a heartbeat renews the holds that it names and notes when, and no others', async () => {
  const user = await ledger.account({ tier: 'pro' });
  const [named, other, over] = [
    await ledger.reserve(user),
    await ledger.reserve(user),
    await ledger.reserve(user),
  ].map(({ reservation_id }) => reservation_id) as [string, string, string];
  await ledger.clone.query(
    `UPDATE credit_reservations SET expires_at = clock_timestamp() + interval '1 minute', heartbeat_at = '2020-01-01Z'
     WHERE user_id = $1`,
    [user],
  );
  await ledger.lapse(over);
  expect(await ledger.heartbeat(named, over)).toEqual([true, false]);
  const renewed = await ledger.clone.query<{ id: string; noted: boolean }>(
    `SELECT id, heartbeat_at > clock_timestamp() - interval '1 minute' AS noted FROM credit_reservations
     WHERE user_id = $1 AND expires_at > clock_timestamp() + interval '2 minutes'`,
    [user],
  );
  expect(renewed).toEqual([{ id: named, noted: true }]);
  expect((await ledger.reservation(other)).state).toBe('active');
  await ledger.release(named);
  expect(await ledger.heartbeat(named)).toEqual([false]);
});

describe('grants that expire within a period', () => {
  const sweep = () =>
    ledger.clone.query<{ user_id: string; expired: bigint }>('SELECT * FROM expire_grants_due(100)');
  const expireNow = (user: string) =>
    ledger.clone.query(
      `UPDATE credit_grants SET expires_at = clock_timestamp() WHERE user_id = $1 AND source = 'promo'`,
      [user],
    );

  test('are swept alone: not those to come, and none of which nothing is left', async () => {
    const [due, later, spent] = [await ledger.account(), await ledger.account(), await ledger.account()];
    for (const user of [due, later, spent])
      await ledger.grant(user, credits(5), { source: 'promo', expires: '1 hour' });
    const { reservation_id } = await ledger.reserve(spent);
    await ledger.consume(reservation_id, { quantity: 5 });
    await ledger.release(reservation_id);
    for (const user of [due, spent]) await expireNow(user);
    expect(await sweep()).toEqual([{ user_id: due, expired: credits(5) }]);
    expect(await sweep()).toEqual([]);
    await expectNoDrift(ledger, due, later, spent);
  });

  test('wait until their account is not in use, and hold up no others', async () => {
    const [busy, idle] = [await ledger.account(), await ledger.account()];
    for (const user of [busy, idle]) {
      await ledger.grant(user, credits(5), { source: 'promo', expires: '1 hour' });
      await expireNow(user);
    }
    const [locked, finish] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const holder = ledger.database.withService(async (tx) => {
      await sql`SELECT set_low_thresholds(${busy}, null)`.execute(tx);
      locked.resolve();
      await finish.promise;
    });
    await locked.promise;
    expect(await sweep()).toEqual([{ user_id: idle, expired: credits(5) }]);
    finish.resolve();
    await holder;
    expect(await sweep()).toEqual([{ user_id: busy, expired: credits(5) }]);
  });
});
