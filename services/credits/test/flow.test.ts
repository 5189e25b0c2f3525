import { randomUUID } from 'node:crypto';
import {
  runCancelled,
  runCompleted,
  runRequested,
  stepCompleted,
  stepFailed,
} from '@swissbrain/shared-schema/events/agent-runner';
import { identifierOf } from '@swissbrain/shared-schema/ids';
import { listBillableSteps } from '@swissbrain/shared-schema/rpc/agent-runner';
import { extendReservation, heartbeatReservations } from '@swissbrain/shared-schema/rpc/credits';
import { rpcSubject } from '@swissbrain/shared-schema/rpc/definition';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { closingOf, looksInto, requestOf, stepOf, tenSearches } from './run-fixture.ts';
import { type CreditsUnderTest, startCredits } from './service-fixture.ts';

let credits: CreditsUnderTest;
beforeAll(async () => {
  credits = await startCredits({
    CLOSING_ASK_AFTER_SECONDS: '0.2',
    CLOSING_SWEEP_MS: '100',
    HOLD_SWEEP_MS: '100',
  });
});
afterAll(() => credits?.stop());

const { holdOf, holdIn, published, newUser } = looksInto(() => credits);

describe('the credits of a run', () => {
  test('from the first grant over hold and usage to the settlement, whatever is delivered twice', async () => {
    // The user is born while the request is already on its way: the reservation waits for the account.
    const user = randomUUID();
    const run = randomUUID();
    await credits.publish(runRequested, { user, run, data: requestOf(run, tenSearches) });
    await credits.database.query('INSERT INTO auth.users (id) VALUES ($1)', [user]);
    await holdIn(run, 'active');
    expect(await published(run, 'credits.reserved')).toMatchObject({
      held_micro: '10000000',
      ttl_seconds: 900,
    });

    const [first, second] = [randomUUID(), randomUUID()];
    const id = randomUUID();
    await credits.publish(runCompleted, { user, run, data: closingOf(run, [first, second]) });
    await credits.publish(stepCompleted, { user, run, id, data: stepOf(run, first, 2) });
    await credits.publish(stepCompleted, { user, run, id, data: stepOf(run, first, 2) });
    await credits.publish(stepFailed, {
      user,
      run,
      data: { ...stepOf(run, second, 3), error: { code: 'x', message: 'x' } },
    });
    expect(await holdIn(run, 'settled')).toMatchObject({
      consumed_micro: 5_000_000n,
      released_micro: 5_000_000n,
    });
    expect(await published(run, 'credits.released')).toMatchObject({
      consumed_micro: '5000000',
      available_micro: '95000000',
    });
    expect(await credits.database.query('SELECT * FROM verify_credits($1)', [user])).toEqual([]);
  });

  test('a run that cannot be paid is denied, one over the concurrency waits, and a cancel takes it out', async () => {
    const user = await newUser();
    const [poor, live, waiting] = [randomUUID(), randomUUID(), randomUUID()];
    const publish = (run: string, data: object) => credits.publish(runRequested, { user, run, data });
    await publish(live, requestOf(live, tenSearches));
    await holdIn(live, 'active');
    await publish(waiting, requestOf(waiting, tenSearches));
    await holdIn(waiting, 'waiting');
    await credits.publish(runCancelled, { user, run: waiting, data: closingOf(waiting, []) });
    await holdIn(waiting, 'settled');
    await credits.publish(runCancelled, { user, run: live, data: closingOf(live, []) });
    await holdIn(live, 'settled');
    await publish(poor, requestOf(poor, tenSearches, '0'));
    await holdIn(poor, 'denied');
    expect(await published(poor, 'credits.denied')).toMatchObject({ reason: 'insufficient' });
  });

  test('a step without a reservation does not hold up the others', async () => {
    const user = await newUser();
    const run = randomUUID();
    await credits.publish(runRequested, { user, run, data: requestOf(run, tenSearches) });
    await holdIn(run, 'active');
    const lost = randomUUID();
    const steps = Array.from({ length: 20 }, () => randomUUID());
    await Promise.all([
      credits.publish(stepCompleted, { user, run: lost, data: stepOf(lost, randomUUID(), 1) }),
      ...steps.map((id) => credits.publish(stepCompleted, { user, run, data: stepOf(run, id, 0) })),
    ]);
    await credits.publish(runCompleted, { user, run, data: closingOf(run, steps) });
    await holdIn(run, 'settled');
  });

  test('steps that never arrived are asked for; a run that is gone is released', async () => {
    const user = await newUser();
    const [known, gone] = [randomUUID(), randomUUID()];
    const missing = randomUUID();
    const subscription = credits.connection.subscribe(rpcSubject(listBillableSteps), {
      queue: identifierOf('agent-runner'),
      callback: (_error, message) => {
        const asked = message.json<{ run_id: string; after_index: number }>();
        const steps =
          asked.run_id === known && asked.after_index < 0
            ? [
                {
                  step_id: missing,
                  step_index: 0,
                  usage: tenSearches,
                  finished_at: '2026-01-13T10:00:00.000Z',
                },
              ]
            : [];
        message.respond(JSON.stringify({ status: asked.run_id === known ? 'completed' : null, steps }));
      },
    });
    for (const run of [known, gone]) {
      await credits.publish(runRequested, { user, run, data: requestOf(run, tenSearches) });
      await holdIn(run, 'active');
      await credits.publish(runCompleted, { user, run, data: closingOf(run, [missing]) });
      await holdIn(run, 'settled');
    }
    subscription.unsubscribe();
    expect(await holdOf(known)).toMatchObject({ consumed_micro: 10_000_000n });
    expect(await holdOf(gone)).toMatchObject({ consumed_micro: 0n });
  });

  test('a hold nobody renews is swept, and its event is published', async () => {
    const user = await newUser();
    const run = randomUUID();
    await credits.publish(runRequested, { user, run, data: requestOf(run, tenSearches) });
    await holdIn(run, 'active');
    await credits.database.query(
      'UPDATE credit_reservations SET expires_at = clock_timestamp() WHERE run_id = $1',
      [run],
    );
    await holdIn(run, 'expired');
    expect(await published(run, 'credits.expired')).toMatchObject({ released_micro: '10000000' });
  });

  test('a deleted user gets no more holds, and the ledger stays', async () => {
    const user = await newUser();
    await waitFor(() =>
      credits.database.query('SELECT FROM credit_balances WHERE user_id = $1', [user]).then((r) => r.length),
    );
    await credits.database.query('DELETE FROM auth.users WHERE id = $1', [user]);
    await waitFor(async () => {
      const rows = await credits.database.query(
        `SELECT FROM user_subscriptions WHERE user_id = $1 AND status = 'ended'`,
        [user],
      );
      return rows.length;
    });
    const run = randomUUID();
    await credits.publish(runRequested, { user, run, data: requestOf(run, tenSearches) });
    await holdIn(run, 'denied');
    expect(
      await credits.database.query('SELECT FROM credit_transactions WHERE user_id = $1', [user]),
    ).not.toEqual([]);
  });
});

describe('rpc', () => {
  const ask = async (definition: typeof extendReservation | typeof heartbeatReservations, body: object) => {
    const reply = await credits.connection.request(rpcSubject(definition), JSON.stringify(body), {
      timeout: 5_000,
    });
    return reply.json<Record<string, unknown>>();
  };

  test('extends and renews holds', async () => {
    const user = await newUser();
    const run = randomUUID();
    await credits.publish(runRequested, { user, run, data: requestOf(run, tenSearches) });
    const { id } = await holdIn(run, 'active');
    const extension = { reservation_id: id, amount_micro: '1000000', key: 'a' };
    expect(await ask(extendReservation, extension)).toEqual({
      status: 'extended',
      held_micro: '11000000',
      available_micro: '89000000',
    });
    expect(await ask(extendReservation, extension)).toMatchObject({ status: 'replayed' });
    const unknown = randomUUID();
    expect(await ask(heartbeatReservations, { reservation_ids: [id, unknown] })).toEqual({
      alive: [id],
      closed: [unknown],
    });
  });

  test.each([
    [
      'an unknown reservation',
      { reservation_id: randomUUID(), amount_micro: '1', key: 'k' },
      'reservation_not_found',
    ],
    ['an amount of nothing', { reservation_id: randomUUID(), amount_micro: '0', key: 'k' }, 'amount_invalid'],
    ['no amount', { reservation_id: randomUUID(), key: 'k' }, 'invalid_request'],
    [
      'an amount beyond 64 bits',
      { reservation_id: randomUUID(), amount_micro: '9'.repeat(19), key: 'k' },
      'invalid_request',
    ],
    ['no key', { reservation_id: randomUUID(), amount_micro: '1', key: '' }, 'invalid_request'],
  ])('refuses %s', async (_name, body, code) => {
    expect(await ask(extendReservation, body)).toMatchObject({ code });
  });
});
