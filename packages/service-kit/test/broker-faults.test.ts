import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startConsumers } from '@swissbrain/service-kit/consumer';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  append,
  type Backbone,
  managerOf,
  newAggregates,
  openBackbone,
  recorder,
  startTwoConsumers,
  takeEffect,
} from './backbone.ts';

// Where it comes as a container it cannot be given another configuration while it runs.
const hasNatsServer = spawnSync('nats-server', ['--version']).status === 0;

let backbone: Backbone;
beforeAll(async () => {
  backbone = await openBackbone();
});
afterAll(() => backbone?.stop());
beforeEach(() => backbone.reset());

describe('after', () => {
  it('a kill -9 of the broker in the middle of a batch of thousands, with writers that go on', async () => {
    const platform = await backbone.open();
    const aggregates = newAggregates(60);
    let seen = 0;
    const { promise: killed, resolve } = Promise.withResolvers<void>();
    const deadly = recorder('deadly', {
      async handle(tx, events) {
        seen += events.length;
        await takeEffect(tx, 'deadly', events);
        // The effect is not committed, nothing of this batch is acknowledged, and hundreds are on their way.
        if (seen > 500) {
          await backbone.stack.nats.kill();
          resolve();
          seen = Number.NEGATIVE_INFINITY;
        }
      },
    });
    await startConsumers(platform, [deadly]);
    const names = await startTwoConsumers(platform);
    for (let round = 0; round < 4; round += 1) await append(platform, aggregates, round * 10 + 1, 10);
    await killed;
    for (let round = 4; round < 6; round += 1) await append(platform, aggregates, round * 10 + 1, 10);
    await backbone.stack.nats.restart();
    await append(platform, aggregates, 61, 5);
    await backbone.everyEventTookEffectOnce('deadly', ...names);
    await backbone.everyEventIsStreamedInOrder(platform);
  });

  it.skipIf(!hasNatsServer)('the broker was back before its streams were', async () => {
    const platform = await backbone.open();
    const names = await startTwoConsumers(platform);
    await append(platform, newAggregates(5), 1, 2);
    await backbone.everyEventTookEffectOnce(...names);
    await backbone.stack.nats.kill();
    const directory = await mkdtemp(join(tmpdir(), 'nats-without-streams-'));
    const configuration = join(directory, 'nats.conf');
    const listen = { listen: `127.0.0.1:${new URL(backbone.stack.nats.url).port}` };
    await writeFile(configuration, JSON.stringify(listen));
    const broker = spawn('nats-server', ['--config', configuration], { stdio: 'ignore' });
    try {
      // A consumer that has asked for its durable by now was told that there is nobody to ask.
      await waitFor(() => platform.isNatsConnected());
      await expect(platform.nats.request('$JS.API.INFO')).rejects.toThrow('no responders');
      await writeFile(configuration, JSON.stringify({ ...listen, jetstream: { store_dir: directory } }));
      broker.kill('SIGHUP');
      // They ask at once, and not only when the time of a pull (30 s) is over.
      const { consumers } = await waitFor(() => managerOf(platform));
      await waitFor(
        async () => {
          const found = await Promise.all(names.map((name) => consumers.info('EVENTS', `credits_${name}`)));
          return found.every(({ num_waiting }) => num_waiting > 0);
        },
        { timeoutMs: 15_000, describe: 'consumers that ask for events' },
      );
      await append(platform, newAggregates(5), 1, 2);
      await backbone.everyEventTookEffectOnce(...names);
    } finally {
      const gone = once(broker, 'exit');
      broker.kill('SIGKILL');
      await gone;
      await rm(directory, { recursive: true, force: true });
    }
  });

  it('the stream was deleted', async () => {
    const platform = await backbone.open();
    const names = await startTwoConsumers(platform);
    const aggregates = newAggregates(20);
    await append(platform, aggregates, 1, 5);
    await backbone.everyEventTookEffectOnce(...names);
    await backbone.everyEventIsStreamedInOrder(platform);
    const { streams } = await managerOf(platform);
    await streams.delete('EVENTS');
    // Whoever misses it first makes it anew, empty: only its numbers tell the relay what happened.
    await waitFor(() => streams.info('EVENTS'), { describe: 'a new stream' });
    await append(platform, aggregates, 6, 1);
    await backbone.everyEventTookEffectOnce(...names);
    await waitFor(async () => (await streams.info('EVENTS')).state.messages === 120, {
      describe: 'all events on the new stream',
    });
  });

  it('an older store directory was put back', async () => {
    const platform = await backbone.open();
    const names = await startTwoConsumers(platform);
    const aggregates = newAggregates(20);
    await append(platform, aggregates, 1, 5);
    await backbone.everyEventTookEffectOnce(...names);
    await backbone.everyEventIsStreamedInOrder(platform);
    const putBack = await backbone.stack.nats.backup();
    await append(platform, aggregates, 6, 5);
    await backbone.everyEventTookEffectOnce(...names);
    await putBack();
    await append(platform, aggregates, 11, 5);
    await backbone.everyEventTookEffectOnce(...names);
    await waitFor(
      async () => (await (await managerOf(platform)).streams.info('EVENTS')).state.messages === 300,
      {
        describe: 'what the older store lacked',
      },
    );
    await backbone.everyEventIsStreamedInOrder(platform);
  });

  it('the stream was full', async () => {
    const platform = await backbone.open({ NATS_STREAM_MAX_BYTES: '60000' });
    const names = await startTwoConsumers(platform);
    const aggregates = newAggregates(20);
    await append(platform, aggregates, 1, 20);
    const held = () => platform.metrics.getSingleMetricAsString('outbox_held');
    await waitFor(async () => / 1$/m.test(await held()), {
      describe: 'the relay to say that it holds events',
    });
    const { streams } = await managerOf(platform);
    expect((await streams.info('EVENTS')).state.messages).toBeLessThan(400);
    await streams.update('EVENTS', { max_bytes: 4_000_000 });
    await backbone.everyEventTookEffectOnce(...names);
    await backbone.everyEventIsStreamedInOrder(platform);
  });
});
