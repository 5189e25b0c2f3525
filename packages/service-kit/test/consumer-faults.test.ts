import { AckPolicy, DeliverPolicy, jetstream } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { startConsumers } from '@swissbrain/service-kit/consumer';
import { AppError } from '@swissbrain/service-kit/errors';
import { createGather } from '@swissbrain/service-kit/gather';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  append,
  type Backbone,
  managerOf,
  newAggregates,
  openBackbone,
  range,
  recorder,
  startTwoConsumers,
  takeEffect,
} from './backbone.ts';
import { ticked } from './stack.ts';

let backbone: Backbone;
beforeAll(async () => {
  backbone = await openBackbone();
});
afterAll(() => backbone?.stop());
beforeEach(() => backbone.reset());

describe('every event takes effect once', () => {
  it('when it is published again after the window in which the server knows it', async () => {
    const platform = await backbone.open();
    const names = await startTwoConsumers(platform);
    const { streams } = await managerOf(platform);
    const aggregates = newAggregates(10);
    await append(platform, aggregates, 1, 5);
    await backbone.everyEventTookEffectOnce(...names);
    await backbone.everyEventIsStreamedInOrder(platform);
    await streams.update('EVENTS', { duplicate_window: nanos(100) });
    // What a relay that dies before it marks leaves behind; the stream doubles only once the window is over.
    await waitFor(
      async () => {
        await backbone.stack.database.query('UPDATE event_outbox SET published_at = NULL, stream_seq = NULL');
        await append(platform, newAggregates(1), 1, 1);
        return (await streams.info('EVENTS')).state.messages >= 100;
      },
      { describe: 'duplicates on the stream' },
    );
    await backbone.everyEventTookEffectOnce(...names);
    await backbone.everyEventIsStreamedInOrder(platform);
  });

  it('when its handler takes longer than the ack wait', async () => {
    const platform = await backbone.open();
    const ackWaitMs = 300;
    const { promise: mayEnd, resolve: end } = Promise.withResolvers<void>();
    let calls = 0;
    const slow = recorder('slow', {
      ...{ ackWaitMs, concurrency: 2, batch: 2 },
      async handle(tx, events) {
        calls += 1;
        await mayEnd;
        await takeEffect(tx, 'slow', events);
      },
    });
    await startConsumers(platform, [slow]);
    // Fewer than it has room for: it asks for more all the while.
    await append(platform, newAggregates(2), 1, 1);
    await waitFor(() => calls === 1);
    const { consumers } = await managerOf(platform);
    // Beside it one that never answers shows when several ack waits are over.
    await consumers.add('EVENTS', {
      ...{ durable_name: 'silent', ack_policy: AckPolicy.Explicit, deliver_policy: DeliverPolicy.All },
      ...{ ack_wait: nanos(ackWaitMs), filter_subject: 'sb.credits.ticked.>' },
    });
    const silent = await jetstream(platform.nats).consumers.get('EVENTS', 'silent');
    await waitFor(async () => {
      const message = await silent.next({ expires: 1_000 });
      return (message?.info.deliveryCount ?? 0) > 3;
    });
    expect(calls).toBe(1);
    expect((await consumers.info('EVENTS', 'credits_slow')).num_redelivered).toBe(0);
    end();
    await backbone.everyEventTookEffectOnce('slow');
  });

  it('when two replicas work on it because the first seems dead', async () => {
    const [first, second] = [await backbone.open(), await backbone.open()];
    const { promise: mayEnd, resolve: end } = Promise.withResolvers<void>();
    let firstBegan = false;
    await startConsumers(first, [
      recorder('contended', {
        async handle(tx, events) {
          firstBegan = true;
          await takeEffect(tx, 'contended', events);
          await mayEnd;
        },
      }),
    ]);
    await append(first, newAggregates(5), 1, 4);
    await waitFor(() => firstBegan);
    // A durable of the same name begins at the oldest event: the second gets what the first is at.
    const { consumers } = await managerOf(second);
    await consumers.delete('EVENTS', 'credits_contended');
    await startConsumers(second, [recorder('contended')]);
    await waitFor(
      async () =>
        (
          await backbone.stack.database.query(
            `SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)
             WHERE NOT l.granted AND a.datname = current_database()`,
          )
        ).length > 0,
      { describe: 'the second to wait for the first' },
    );
    end();
    await backbone.everyEventTookEffectOnce('contended');
  });

  it('when a replica stops while messages are on their way to it, and another takes them at once', async () => {
    const [first, second] = [await backbone.open(), await backbone.open()];
    // Longer than this test: what is left unanswered would be missing at its end.
    const patient = { ackWaitMs: 600_000, concurrency: 1_000, batch: 250 };
    const { promise: mayEnd, resolve: end } = Promise.withResolvers<void>();
    const { promise: began, resolve: begin } = Promise.withResolvers<void>();
    for (const round of range(0, 3)) await append(first, newAggregates(50), round * 10 + 1, 10);
    await backbone.everyEventIsStreamedInOrder(first);
    await startConsumers(first, [
      recorder('handed-over', {
        ...patient,
        async handle(tx, events) {
          begin();
          await mayEnd;
          await takeEffect(tx, 'handed-over', events);
        },
      }),
    ]);
    await began;
    const stopped = backbone.close(first);
    end();
    await stopped;
    await startConsumers(second, [recorder('handed-over', patient)]);
    await backbone.everyEventTookEffectOnce('handed-over');
  });

  it('when its consumer is deleted, and when all is replayed over live events', async () => {
    const platform = await backbone.open();
    const names = await startTwoConsumers(platform);
    const { consumers } = await managerOf(platform);
    const aggregates = newAggregates(20);
    const writing = (async () => {
      for (const round of range(0, 29)) await append(platform, aggregates, round * 3 + 1, 3);
    })();
    await waitFor(async () => (await consumers.info('EVENTS', 'credits_small')).ack_floor.stream_seq > 100);
    for (const name of names) await consumers.delete('EVENTS', `credits_${name}`);
    // One that comes late reads what was while the rest is being written.
    await startConsumers(platform, [recorder('late', { batch: 20 })]);
    await writing;
    await backbone.everyEventTookEffectOnce(...names, 'late');
    await backbone.everyEventIsStreamedInOrder(platform);
  });

  it('when two versions of the service are at it at once', async () => {
    const old = await backbone.open({ NATS_STREAM_MAX_AGE_HOURS: '72' });
    await startConsumers(old, [recorder('shared', { ackWaitMs: 3_000, batch: 10 })]);
    const manager = await managerOf(old);
    // The new version listens to more, knows more of an event and has another opinion of its consumer.
    const { config } = await manager.streams.info('EVENTS');
    await manager.streams.update('EVENTS', { subjects: [...config.subjects, 'sb.novelty.>'] });
    const current = await backbone.open({ NATS_STREAM_MAX_AGE_HOURS: '72' });
    const richer = { ...ticked, data: ticked.data.extend({ note: z.string().optional() }) };
    await startConsumers(current, [
      recorder('shared', { event: richer, ackWaitMs: 2_000, batch: 50 }),
      recorder('added', { event: richer }),
    ]);
    const aggregates = newAggregates(20);
    for (const round of range(0, 9)) {
      await append(round % 2 === 0 ? old : current, aggregates, round * 3 + 1, 3);
    }
    // The old one starts once more, as in a roll-out that crawls.
    await backbone.close(old);
    const again = await backbone.open();
    await startConsumers(again, [recorder('shared', { ackWaitMs: 3_000, batch: 10 })]);
    await append(again, aggregates, 31, 3);
    await backbone.everyEventTookEffectOnce('shared', 'added');
    await backbone.everyEventIsStreamedInOrder(current);
    const { subjects } = (await (await managerOf(current)).streams.info('EVENTS')).config;
    expect(subjects).toContain('sb.novelty.>');
  });
});

describe('a batch', () => {
  it('is not held up by one event that asks to be tried later', async () => {
    const platform = await backbone.open();
    const picky = recorder('picky', {
      // Nothing comes a second time within this test.
      backoffMs: [600_000],
      async handle(tx, events) {
        if (events.some(({ data }) => data.number === 3)) {
          throw new AppError({ code: 'early', status: 503, title: 'Early', detail: 'early', retry: 'later' });
        }
        await takeEffect(tx, 'picky', events);
      },
    });
    // All of them are there before the consumer is, so they come as one batch.
    await append(platform, newAggregates(1), 1, 20);
    await backbone.everyEventIsStreamedInOrder(platform);
    await startConsumers(platform, [picky]);
    const effects = () => backbone.stack.database.query('SELECT FROM kit_effects');
    await waitFor(async () => (await effects()).length === 19, { describe: 'the other events' });
  });
});

describe('a consumer that gathers', () => {
  it('takes what is there when the rest is ended, also from within a batch', async () => {
    const platform = await backbone.open();
    // Longer than this test: only its end makes the rest over.
    const gather = createGather(600_000);
    const batches: number[][] = [];
    const gathering = recorder('gathering', {
      gather,
      async handle(tx, events) {
        const numbers = events.map(({ data }) => data.number);
        batches.push(numbers);
        if (numbers.includes(4)) gather.end();
        await takeEffect(tx, 'gathering', events);
      },
    });
    await startConsumers(platform, [gathering]);
    const { consumers } = await managerOf(platform);
    const delivered = (count: number) =>
      waitFor(
        async () => (await consumers.info('EVENTS', 'credits_gathering')).delivered.consumer_seq === count,
      );
    const [aggregate = ''] = newAggregates(1);
    await append(platform, [aggregate], 1, 1);
    await waitFor(() => batches.length === 1);
    await append(platform, [aggregate], 2, 1);
    await append(platform, [aggregate], 3, 1);
    await delivered(3);
    expect(batches).toEqual([[1]]);
    gather.end();
    await waitFor(() => batches.length === 2);
    await append(platform, [aggregate], 4, 1);
    await delivered(4);
    gather.end();
    await waitFor(() => batches.length === 3);
    await append(platform, [aggregate], 5, 1);
    await waitFor(() => batches.length === 4);
    expect(batches).toEqual([[1], [2, 3], [4], [5]]);
    await backbone.everyEventTookEffectOnce('gathering');
  });
});

describe('a consumer whose settings on the server are not those of the code', () => {
  it.each([
    ['deliver_policy', { deliver_policy: DeliverPolicy.New }],
    ['ack_policy', { ack_policy: AckPolicy.All }],
    ['backoff', { backoff: [nanos(1_000)], max_deliver: 5 }],
    ['headers_only', { headers_only: true }],
  ])('is refused at start because of %s', async (setting, drift) => {
    const platform = await backbone.open();
    const { consumers } = await managerOf(platform);
    await consumers.add('EVENTS', {
      ...{ durable_name: 'credits_drifted', filter_subject: 'sb.credits.ticked.>' },
      ...{ ack_policy: AckPolicy.Explicit, deliver_policy: DeliverPolicy.All },
      ...drift,
    });
    await expect(startConsumers(platform, [recorder('drifted')])).rejects.toThrow(
      new RegExp(`credits_drifted .* differs from the code in .*${setting}`),
    );
  });

  it('is brought to them where an update can do it', async () => {
    const platform = await backbone.open();
    const { consumers } = await managerOf(platform);
    await consumers.add('EVENTS', {
      ...{ durable_name: 'credits_old', filter_subject: 'sb.credits.ticked.>', ack_wait: nanos(1_000) },
      ...{
        ack_policy: AckPolicy.Explicit,
        deliver_policy: DeliverPolicy.All,
        max_deliver: 3,
        max_ack_pending: 5,
      },
    });
    await startConsumers(platform, [recorder('old', { ackWaitMs: 7_000 })]);
    expect((await consumers.info('EVENTS', 'credits_old')).config).toMatchObject({
      ...{ ack_wait: nanos(7_000), max_deliver: -1, max_ack_pending: 10_000 },
    });
  });
});
