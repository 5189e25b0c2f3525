import { randomUUID } from 'node:crypto';
import { jetstreamManager } from '@nats-io/jetstream';
import { runCompleted, runRequested, stepCompleted } from '@swissbrain/shared-schema/events/agent-runner';
import { durableName } from '@swissbrain/shared-schema/events/consumers';
import { startTestPostgres } from '@swissbrain/testkit/postgres';
import { waitFor } from '@swissbrain/testkit/wait';
import pg from 'pg';
import { expect, test } from 'vitest';
import { startProcess } from './process-fixture.ts';
import { closingOf, looksInto, requestOf, stepOf, tenSearches } from './run-fixture.ts';
import { openSurroundings } from './service-fixture.ts';

test('a database killed in the middle of a batch of usage has nothing of it, and in the end all of it once', async () => {
  await using opened = new AsyncDisposableStack();
  const { server, database } = await startTestPostgres();
  const around = opened.adopt(await openSurroundings(database), (surroundings) => surroundings.stop());
  const { query, holdIn, newUser, published, verify } = looksInto(() => around);
  const first = opened.adopt(await startProcess(around.environment()), ({ kill }) => kill());
  const usageWaits = (what: string) =>
    waitFor(
      () =>
        query(
          `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND wait_event = 'transactionid'
           AND query LIKE '%consume_usage%'`,
        ).then((waiting) => waiting.length > 0),
      { describe: what },
    );
  const openSession = async () => {
    const session = new pg.Client({ connectionString: database.adminUrl });
    session.on('error', () => {});
    await session.connect();
    await session.query('BEGIN');
    return session;
  };

  const [user, run] = [await newUser(), randomUUID()];
  await around.publish(runRequested, { user, run, data: requestOf(run, tenSearches) });
  await holdIn(run, 'active');
  const [alone = '', ...batch] = Array.from({ length: 40 }, () => randomUUID());
  const tell = (step: string) => around.publish(stepCompleted, { user, run, data: stepOf(run, step, 1) });

  // One step has to wait for its hold, so that all others come together behind it.
  const holder = await openSession();
  await holder.query('SELECT FROM credit_reservations WHERE run_id = $1 FOR NO KEY UPDATE', [run]);
  await tell(alone);
  await usageWaits('the first step to wait for its hold');
  for (const step of batch) await tell(step);
  const manager = await jetstreamManager(around.connection);
  await waitFor(
    async () =>
      (await manager.consumers.info('EVENTS', durableName('credits', 'step-completed'))).num_ack_pending ===
      40,
    { describe: 'all steps to be delivered' },
  );
  // Usage takes its keys in order: whoever has the last of them under way stops a batch when all others are written.
  const last = batch
    .map((step) => `step:${step}:0`)
    .toSorted()
    .at(-1);
  const keeper = await openSession();
  await keeper.query(
    `INSERT INTO credit_idempotency (user_id, key, action, request_hash, outcome, amount_micro)
     VALUES ($1, $2, 'consume', '', 'recorded', 0)`,
    [user, last],
  );
  await holder.end();
  await waitFor(
    () => query('SELECT FROM credit_transactions WHERE step_id = $1', alone).then((rows) => rows.length > 0),
    { describe: 'the first step to be recorded' },
  );
  await usageWaits('the batch to stop in its middle');

  await server.kill();
  await first.kill();
  await server.restart();
  const recorded = async () =>
    (
      await query<{ step_id: string }>(
        `SELECT step_id FROM credit_transactions WHERE user_id = $1 AND kind = 'consume'`,
        user,
      )
    ).map(({ step_id }) => step_id);
  expect(await recorded()).toEqual([alone]);
  expect(await verify(user)).toEqual([]);

  const second = opened.adopt(await startProcess(around.environment()), ({ kill }) => kill());
  expect(second.url).not.toBe('');
  await around.publish(runCompleted, { user, run, data: closingOf(run, [alone, ...batch]) });
  expect(await holdIn(run, 'settled')).toMatchObject({
    ...{ held_micro: 40_000_000n, consumed_micro: 40_000_000n, released_micro: 0n, late_micro: 0n },
  });
  await published(run, 'credits.released');
  expect((await recorded()).toSorted()).toEqual([alone, ...batch].toSorted());
  expect(await verify(user)).toEqual([]);
});
