import { randomUUID } from 'node:crypto';
import { runCompleted, runRequested, stepCompleted } from '@swissbrain/shared-schema/events/agent-runner';
import { startTestPostgres } from '@swissbrain/testkit/postgres';
import { waitFor } from '@swissbrain/testkit/wait';
import pg from 'pg';
import { expect, test } from 'vitest';
import { startProcess } from './process-fixture.ts';
import { closingOf, looksInto, requestOf, stepOf, tenSearches } from './run-fixture.ts';
import { openSurroundings } from './service-fixture.ts';

test('a database killed in the middle of a batch of usage has all of it or nothing, and in the end all of it once', async () => {
  await using opened = new AsyncDisposableStack();
  const { server, database } = await startTestPostgres();
  const around = opened.adopt(await openSurroundings(database), (surroundings) => surroundings.stop());
  const { query, holdIn, newUser, published, verify } = looksInto(() => around);
  const service = opened.adopt(await startProcess(around.environment()), ({ kill }) => kill());
  expect(service.url).not.toBe('');

  const [user, run] = [await newUser(), randomUUID()];
  await around.publish(runRequested, { user, run, data: requestOf(run, tenSearches) });
  await holdIn(run, 'active');
  const steps = Array.from({ length: 40 }, () => randomUUID());
  // Usage takes its keys in order: whoever has the last of them under way stops a batch when all others are written.
  const last = steps
    .map((step) => `step:${step}:0`)
    .toSorted()
    .at(-1);
  const blocker = new pg.Client({ connectionString: database.adminUrl });
  blocker.on('error', () => {});
  await blocker.connect();
  await blocker.query('BEGIN');
  await blocker.query(
    `INSERT INTO credit_idempotency (user_id, key, action, request_hash, outcome, amount_micro)
     VALUES ($1, $2, 'consume', '', 'recorded', 0)`,
    [user, last],
  );
  for (const step of steps) await around.publish(stepCompleted, { user, run, data: stepOf(run, step, 1) });
  await around.publish(runCompleted, { user, run, data: closingOf(run, steps) });
  await waitFor(
    () =>
      query(
        `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND wait_event = 'transactionid'
         AND query LIKE '%consume_usage%'`,
      ).then((waiting) => waiting.length > 0),
    { describe: 'a batch to stop in its middle' },
  );

  await server.kill();
  await server.restart();
  // The transaction of the blocker has died with the server, and so has the half of the batch.
  expect(await holdIn(run, 'settled')).toMatchObject({
    ...{ held_micro: 40_000_000n, consumed_micro: 40_000_000n, released_micro: 0n, late_micro: 0n },
  });
  await published(run, 'credits.released');
  const recorded = await query<{ step_id: string }>(
    `SELECT step_id FROM credit_transactions WHERE user_id = $1 AND kind = 'consume'`,
    user,
  );
  expect(recorded.map(({ step_id }) => step_id).toSorted()).toEqual(steps.toSorted());
  expect(await verify(user)).toEqual([]);
});
