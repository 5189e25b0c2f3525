import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { serviceEnvironment } from '@swissbrain/testkit/environment';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Backbone, managerOf, newAggregates, openBackbone } from './backbone.ts';

let backbone: Backbone;
const replicas: ChildProcessWithoutNullStreams[] = [];
beforeAll(async () => {
  backbone = await openBackbone();
});
afterAll(() => backbone?.stop());
beforeEach(() => backbone.reset());
afterEach(async () => {
  for (const replica of replicas.splice(0)) await end(replica, 'SIGKILL');
});

async function end(replica: ChildProcessWithoutNullStreams, signal?: 'SIGKILL'): Promise<void> {
  if (replica.exitCode !== null || replica.signalCode !== null) return;
  const exited = once(replica, 'exit');
  if (signal) replica.kill(signal);
  else replica.stdin.end();
  await exited;
}

/** A process of the service as one release has it. */
async function start(release: 'old' | 'new') {
  const replica = spawn(process.execPath, [new URL('./versions-process.ts', import.meta.url).pathname], {
    env: { ...process.env, ...serviceEnvironment('credits', backbone.stack), RELEASE: release },
  });
  replica.stderr.pipe(process.stderr);
  replicas.push(replica);
  const lines = createInterface({ input: replica.stdout })[Symbol.asyncIterator]();
  const said = async (wanted: string) => expect((await lines.next()).value).toBe(wanted);
  await said('ready');
  return {
    async append(aggregates: readonly string[], from: number, count: number) {
      replica.stdin.write(`${JSON.stringify({ aggregates, from, count })}\n`);
      await said('appended');
    },
    kill: () => end(replica, 'SIGKILL'),
    stop: () => end(replica),
  };
}

it('two releases at work at once, one of them killed, handle each fact once, whatever version it comes in', async () => {
  const aggregates = newAggregates(10);
  const old = await start('old');
  await old.append(aggregates, 1, 3);
  const current = await start('new');
  await old.append(aggregates, 4, 3);
  await current.append(aggregates, 7, 3);
  await old.kill();
  await current.append(aggregates, 10, 3);
  // The roll-out crawls: an old one starts once more, and in the end is gone.
  const again = await start('old');
  await again.append(aggregates, 13, 3);
  await current.append(aggregates, 16, 3);
  await backbone.everyEventTookEffectOnce('moving', 'staying');
  await again.stop();
  await current.append(aggregates, 19, 3);
  await backbone.everyEventTookEffectOnce('moving', 'staying');

  const onlooker = await backbone.open();
  await backbone.everyEventIsStreamedInOrder(onlooker);
  const { streams } = await managerOf(onlooker);
  // 210 facts, of which the 120 of version 2 went out as version 1 too; none was unreadable to anybody.
  expect((await streams.info('EVENTS')).state.messages).toBe(330);
  expect((await streams.info('DLQ')).state.messages).toBe(0);
});

it('a version that comes in no other and that nobody knows is kept for people, with every consumer', async () => {
  await start('new');
  const [aggregate = ''] = newAggregates(1);
  await backbone.stack.database.query(
    `INSERT INTO event_outbox (source, aggregate_type, aggregate_id, aggregate_seq, type, version, user_id, root_id, data)
     VALUES ('credits', 'ticker', $1, 1, 'credits.ticked', 3, $1, $1, '{"novel": true}')`,
    [aggregate],
  );
  const onlooker = await backbone.open();
  const { streams } = await managerOf(onlooker);
  await waitFor(async () => (await streams.info('DLQ')).state.messages === 2, {
    describe: 'two dead letters',
  });
  expect(await backbone.stack.database.query('SELECT FROM kit_effects')).toEqual([]);
});
