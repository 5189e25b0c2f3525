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
