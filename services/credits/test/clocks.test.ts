import { randomUUID } from 'node:crypto';
import { runCompleted, runRequested, stepCompleted } from '@swissbrain/shared-schema/events/agent-runner';
import { heartbeatReservations } from '@swissbrain/shared-schema/rpc/credits';
import { rpcSubject } from '@swissbrain/shared-schema/rpc/definition';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startProcess } from './process-fixture.ts';
import { closingOf, looksInto, requestOf, stepOf, tenSearches } from './run-fixture.ts';
import { openSurroundings } from './service-fixture.ts';

let around: Awaited<ReturnType<typeof openSurroundings>>;
beforeAll(async () => {
  around = await openSurroundings();
});
afterAll(() => around?.stop());
const { query, holdIn, holdOf, newUser, published, verify } = looksInto(() => around);

const hour = 3_600_000;
const sweeping = { HOLD_SWEEP_MS: '50', PERIOD_SWEEP_MS: '50', TIER_SWEEP_MS: '50' };
const startAt = (clockOffsetMs: number) => startProcess(around.environment(sweeping), { clockOffsetMs });

async function heldRun(user: string): Promise<string> {
  const run = randomUUID();
  await around.publish(runRequested, { user, run, data: requestOf(run, tenSearches) });
  await holdIn(run, 'active');
  return run;
}
/** Sets when a hold ends, from now by the database's clock. */
const endsIn = (run: string, after: string) =>
  query(
    'UPDATE credit_reservations SET expires_at = clock_timestamp() + $2::interval WHERE run_id = $1',
    ...[run, after],
  );
/** Whether a hold lives for about a quarter of an hour, by the database's clock. */
async function isFresh(run: string): Promise<boolean> {
  const [row] = await query<{ fresh: boolean }>(
    `SELECT expires_at - clock_timestamp() BETWEEN interval '14 minutes' AND interval '15 minutes' AS fresh
     FROM credit_reservations WHERE run_id = $1`,
    run,
  );
  return row?.fresh ?? false;
}
/** Moves the period of an account, with its anchor and its grant, so that it ends in a while. */
async function periodEndsIn(user: string, after: string): Promise<void> {
  await query(
    `UPDATE user_subscriptions SET anchor_at = anchor_at + d, current_period_start = current_period_start + d,
       current_period_end = current_period_end + d
     FROM (SELECT clock_timestamp() + $2::interval - current_period_end AS d FROM user_subscriptions WHERE user_id = $1) t
     WHERE user_id = $1`,
    ...[user, after],
  );
}
async function monthlyGrants(user: string): Promise<number> {
  const rows = await query(`SELECT FROM credit_grants WHERE user_id = $1 AND source = 'monthly'`, user);
  return rows.length;
}

describe.each([
  ['an hour fast', hour],
  ['an hour slow', -hour],
  ['five minutes slow', -300_000],
])('a service whose clock is %s', (_name, offset) => {
  let service: Awaited<ReturnType<typeof startProcess>>;
  beforeAll(async () => {
    service = await startAt(offset);
  });
  afterAll(() => service?.kill());

  test('really reads that clock', async () => {
    const [row] = await query<{ off: number }>(
      'SELECT extract(epoch FROM $1::timestamptz - clock_timestamp())::float8 * 1000 AS off',
      service.startedAt,
    );
    expect(Math.abs((row?.off ?? 0) - offset)).toBeLessThan(60_000);
  });

  test('holds, renews and settles by the time of the database', async () => {
    const user = await newUser();
    const run = await heldRun(user);
    expect(await isFresh(run)).toBe(true);
    await endsIn(run, '1 minute');
    const { id } = await holdIn(run, 'active');
    const body = JSON.stringify({ reservation_ids: [id] });
    const reply = await around.connection.request(rpcSubject(heartbeatReservations), body, {
      timeout: 5_000,
    });
    expect(reply.json()).toEqual({ alive: [id], closed: [] });
    expect(await isFresh(run)).toBe(true);
    const steps = [randomUUID(), randomUUID()];
    for (const step of steps) await around.publish(stepCompleted, { user, run, data: stepOf(run, step, 2) });
    await around.publish(runCompleted, { user, run, data: closingOf(run, steps) });
    expect(await holdIn(run, 'settled')).toMatchObject({ consumed_micro: 4_000_000n, late_micro: 0n });
    // What it tells gets out: the relay's leases are by the database's time too.
    await published(run, 'credits.released');
    expect(await verify(user)).toEqual([]);
  });

  test('sweeps the holds whose time is over there, and no others', async () => {
    const [living, over] = [await heldRun(await newUser()), await heldRun(await newUser())];
    await endsIn(living, '10 minutes');
    // Swept after that: a sweep that took ten minutes for over would have taken both.
    await endsIn(over, '-1 second');
    await holdIn(over, 'expired');
    expect((await holdOf(living))?.state).toBe('active');
  });

  test('begins the months that have begun there, and no others', async () => {
    const [early, due] = [await newUser(), await newUser()];
    for (const user of [early, due])
      await waitFor(async () => (await monthlyGrants(user)) === 1, { describe: 'the first grant' });
    await periodEndsIn(early, '10 minutes');
    await periodEndsIn(due, '-1 second');
    await waitFor(async () => (await monthlyGrants(due)) === 2, { describe: 'the second grant' });
    expect(await monthlyGrants(early)).toBe(1);
    expect(await verify(due)).toEqual([]);
  });
});

test('two services two hours apart do the work of one: each month is granted once, each hold ends once', async () => {
  const services = await Promise.all([startAt(hour), startAt(-hour)]);
  try {
    const users = await Promise.all(Array.from({ length: 20 }, newUser));
    const runs = await Promise.all(users.map(heldRun));
    for (const [index, user] of users.entries()) {
      await periodEndsIn(user, '-1 second');
      await endsIn(runs[index] ?? '', '-1 second');
    }
    for (const run of runs) await holdIn(run, 'expired');
    for (const user of users) {
      await waitFor(async () => (await monthlyGrants(user)) === 2, { describe: 'the second grant' });
      const ends = await query(
        `SELECT FROM event_outbox WHERE user_id = $1 AND type = 'credits.expired'`,
        user,
      );
      expect(ends).toHaveLength(1);
      expect(await monthlyGrants(user)).toBe(2);
      expect(await verify(user)).toEqual([]);
    }
  } finally {
    await Promise.all(services.map((service) => service.kill()));
  }
});
