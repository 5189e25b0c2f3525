import { randomUUID } from 'node:crypto';
import { jetstreamManager } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { runCompleted, runRequested, stepCompleted } from '@swissbrain/shared-schema/events/agent-runner';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { closingOf, looksInto, requestOf, stepOf, tenSearches } from './run-fixture.ts';
import { type CreditsUnderTest, startCredits } from './service-fixture.ts';

let credits: CreditsUnderTest;
beforeAll(async () => {
  credits = await startCredits();
});
afterAll(() => credits?.stop());
const { query, holdIn, newUser, published, verify } = looksInto(() => credits);

/** Waits until every event that is in the stream was taken by its consumers. */
const allTaken = async () => {
  const manager = await jetstreamManager(credits.connection);
  await waitFor(
    async () => {
      const consumers = await manager.consumers.list('EVENTS').next();
      return consumers.every(({ num_pending, num_ack_pending }) => num_pending + num_ack_pending === 0);
    },
    { describe: 'every event to be taken' },
  );
};

test('what the broker takes for new, since its window is over, is known here', async () => {
  const manager = await jetstreamManager(credits.connection);
  // The broker forgets ids after two minutes; here it does after the least time it can.
  await manager.streams.update('EVENTS', { duplicate_window: nanos(100) });
  const user = await newUser();
  const [run, step] = [randomUUID(), randomUUID()];
  const story = [
    { definition: runRequested, data: requestOf(run, tenSearches) },
    { definition: stepCompleted, data: stepOf(run, step, 3) },
    { definition: runCompleted, data: closingOf(run, [step]) },
  ].map((event) => ({ ...event, id: randomUUID() }));
  const tell = ({ definition, data, id }: (typeof story)[number]) =>
    credits.publish(definition, { user, run, data, id, known: true });

  for (const event of story) expect(await tell(event)).toBe(true);
  expect(await holdIn(run, 'settled')).toMatchObject({ consumed_micro: 3_000_000n });
  await published(run, 'credits.released');
  const entries = () =>
    query('SELECT id, kind, amount_micro FROM credit_transactions WHERE user_id = $1 ORDER BY id', user);
  const before = await entries();
  const { messages } = (await manager.streams.info('EVENTS')).state;

  for (const event of story.toReversed())
    await waitFor(() => tell(event), { describe: 'the broker to have forgotten' });
  await allTaken();
  const { state } = await manager.streams.info('EVENTS');
  expect(state.messages - messages).toBe(3);
  expect(await entries()).toEqual(before);
  expect(await verify(user)).toEqual([]);
});

test('a hold that ends while its run lives: the run is told, and what it still did is charged', async () => {
  const user = await newUser();
  const [run, before, after] = [randomUUID(), randomUUID(), randomUUID()];
  const tell = (step: string, searches: number) =>
    credits.publish(stepCompleted, { user, run, data: stepOf(run, step, searches) });
  await credits.publish(runRequested, { user, run, data: requestOf(run, tenSearches) });
  await holdIn(run, 'active');
  await tell(before, 2);
  await published(run, 'credits.consumed');
  await query('UPDATE credit_reservations SET expires_at = clock_timestamp() WHERE run_id = $1', run);
  await holdIn(run, 'expired');
  expect(await published(run, 'credits.expired')).toMatchObject({ consumed_micro: '2000000' });
  await tell(after, 4);
  await tell(after, 4);
  await credits.publish(runCompleted, { user, run, data: closingOf(run, [before, after]) });
  await allTaken();
  expect(await holdIn(run, 'expired')).toMatchObject({
    ...{ held_micro: 10_000_000n, consumed_micro: 2_000_000n, released_micro: 8_000_000n },
    late_micro: 4_000_000n,
  });
  const [balance] = await query(
    'SELECT debited_micro AS debited, reserved_micro AS reserved FROM credit_balances WHERE user_id = $1',
    user,
  );
  expect(balance).toEqual({ debited: 6_000_000n, reserved: 0n });
  expect(await verify(user)).toEqual([]);
});

test('what children of a run did is charged when it is told after the root was settled, once', async () => {
  const user = await newUser();
  const [run, child, own, late] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()];
  await credits.publish(runRequested, { user, run, data: requestOf(run, tenSearches) });
  await holdIn(run, 'active');
  await credits.publish(runCompleted, { user, run, data: closingOf(run, [own]) });
  await credits.publish(stepCompleted, { user, run, data: stepOf(run, own, 1) });
  await holdIn(run, 'settled');
  const id = randomUUID();
  const data = stepOf(child, late, 5, run);
  for (let time = 0; time < 3; time += 1) await credits.publish(stepCompleted, { user, run, data, id });
  await credits.publish(stepCompleted, { user, run, data });
  await allTaken();
  expect(await holdIn(run, 'settled')).toMatchObject({ consumed_micro: 1_000_000n, late_micro: 5_000_000n });
  const charged = await query(
    `SELECT run_id, step_id, cause, amount_micro AS amount FROM credit_transactions
     WHERE user_id = $1 AND kind = 'consume' ORDER BY created_at`,
    user,
  );
  expect(charged).toEqual([
    { run_id: run, step_id: own, cause: 'step', amount: -1_000_000n },
    { run_id: child, step_id: late, cause: 'late', amount: -5_000_000n },
  ]);
  expect(await verify(user)).toEqual([]);
});
