import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { systemClock } from '@swissbrain/service-kit/clock';
import { type ConsumerDefinition, startConsumers } from '@swissbrain/service-kit/consumer';
import { createDatabase } from '@swissbrain/service-kit/database';
import { createMetrics } from '@swissbrain/service-kit/metrics';
import { connectNats } from '@swissbrain/service-kit/nats';
import { appendEvents } from '@swissbrain/service-kit/outbox';
import { startOutboxRelay } from '@swissbrain/service-kit/outbox-relay';
import { openPlatform, type Platform } from '@swissbrain/service-kit/platform';
import { ensureStreams } from '@swissbrain/service-kit/streams';
import { serviceEnvironment } from '@swissbrain/testkit/environment';
import { waitFor } from '@swissbrain/testkit/wait';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { quietLog, type Stack, startStack, ticked } from './stack.ts';

let stack: Stack;
const platforms: Platform[] = [];

beforeAll(async () => {
  stack = await startStack();
  await stack.database.query('CREATE TABLE kit_effects (place bigserial, aggregate uuid, number int)');
  await stack.database.query(
    'GRANT SELECT, INSERT ON kit_effects TO sb_credits; GRANT USAGE ON kit_effects_place_seq TO sb_credits',
  );
});
afterAll(async () => stack.stop());
beforeEach(async () => {
  await stack.nats.restart({ empty: true });
  await stack.database.query('TRUNCATE kit_effects, event_outbox, event_inbox');
});
afterEach(async () => {
  for (const platform of platforms.splice(0)) await platform.release.release(8_000);
});

async function open(overrides: Readonly<Record<string, string>> = {}): Promise<Platform> {
  const platform = await openPlatform('credits', stack.config('credits', overrides));
  platforms.push(platform);
  return platform;
}

/** The relay alone, with settings that a platform does not pass on. */
async function openRelay(settings: { readonly compareEveryMs: number }) {
  const service = 'credits';
  const config = stack.config(service);
  const database = createDatabase({ service, config, log: quietLog });
  const nats = await connectNats(service, config, quietLog);
  const relay = startOutboxRelay({
    ...{
      service,
      config,
      log: quietLog,
      clock: systemClock,
      metrics: createMetrics(service),
      database,
      nats,
    },
    ...settings,
  });
  return {
    nats,
    async stop() {
      await relay.stop();
      await nats.connection.close();
      await database.close();
    },
  };
}

async function close(platform: Platform): Promise<void> {
  platforms.splice(platforms.indexOf(platform), 1);
  await platform.release.release(8_000);
}

const recorder: ConsumerDefinition<{ number: number }> = {
  durable: 'effects',
  event: ticked,
  concurrency: 100,
  batch: 100,
  ackWaitMs: 30_000,
  backoffMs: [10],
  maxAttempts: 100,
  async handle(tx, events) {
    for (const { envelope, data } of events) {
      await sql`INSERT INTO kit_effects (aggregate, number) VALUES (${envelope.aggregate_id}::uuid, ${data.number})`.execute(
        tx,
      );
    }
  },
};

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** Events written by the superuser: no relay is woken, so each finds them by itself. */
function write(aggregate: string, numbers: readonly number[]): Promise<unknown> {
  return stack.database.query(
    `INSERT INTO event_outbox (source, aggregate_type, aggregate_id, aggregate_seq, type, version, user_id, root_id, data)
     SELECT 'credits', 'ticker', $1, n, 'credits.ticked', 1, $1, $1, jsonb_build_object('number', n)
     FROM unnest($2::int[]) AS n`,
    [aggregate, numbers],
  );
}
const count = async (where: string) =>
  (await stack.database.query<{ n: number }>(`SELECT count(*)::int AS n FROM event_outbox WHERE ${where}`))[0]
    ?.n;
const allPublished = () =>
  waitFor(async () => (await count('published_at IS NULL')) === 0, { describe: 'all rows published' });
const effects = async (aggregate: string) =>
  (
    await stack.database.query<{ number: number }>(
      'SELECT number FROM kit_effects WHERE aggregate = $1 ORDER BY place',
      [aggregate],
    )
  ).map(({ number }) => number);
const manager = (platform: Platform): Promise<JetStreamManager> => jetstreamManager(platform.nats);
const stored = async (platform: Platform) =>
  (await (await manager(platform)).streams.info('EVENTS')).state.messages;

describe('the relay', () => {
  it('publishes once what a relay killed between publish and mark has left', async () => {
    const aggregate = randomUUID();
    await write(aggregate, range(1, 20));
    const environment = serviceEnvironment('credits', stack);
    const dying = spawn(process.execPath, [new URL('./dying-relay.ts', import.meta.url).pathname], {
      env: { ...process.env, ...environment },
      stdio: 'inherit',
    });
    const [, signal] = await once(dying, 'exit');
    expect(signal).toBe('SIGKILL');
    expect(await count('published_at IS NULL')).toBe(20);

    const platform = await open();
    // Its leases run out by the database's clock before anyone else may take them.
    await allPublished();
    expect(await stored(platform)).toBe(20);
    await startConsumers(platform, [recorder]);
    await waitFor(async () => (await effects(aggregate)).length === 20);
    expect(await effects(aggregate)).toEqual(range(1, 20));
  });

  it('keeps the order of an aggregate with two relays, across a hand-over', async () => {
    const first = await open();
    const second = await open();
    await startConsumers(second, [recorder]);
    const aggregates = range(1, 8).map(() => randomUUID());
    const append = (platform: Platform, aggregate: string, from: number) =>
      platform.database.withService((tx) =>
        appendEvents(
          tx,
          range(from, from + 4).map((number) => ({
            definition: ticked,
            aggregateId: aggregate,
            aggregateSeq: BigInt(number),
            userId: aggregate,
            rootId: aggregate,
            data: { number },
          })),
        ),
      );
    const replicas = [first, second] as const;
    for (const part of range(0, 5)) {
      // Written by the replica that holds no shards as well: it tells the other.
      const replica = replicas[part % 2 === 0 ? 0 : 1];
      await Promise.all(aggregates.map((aggregate) => append(replica, aggregate, part * 5 + 1)));
    }
    await close(first);
    for (const from of [31, 36])
      await Promise.all(aggregates.map((aggregate) => append(second, aggregate, from)));
    await allPublished();
    for (const aggregate of aggregates) {
      await waitFor(async () => (await effects(aggregate)).length === 40);
      expect(await effects(aggregate)).toEqual(range(1, 40));
    }
    const owners = await stack.database.query(
      `SELECT count(DISTINCT owner)::int AS owners, count(*)::int AS held FROM outbox_shards WHERE source = 'credits' AND owner IS NOT NULL`,
    );
    expect(owners).toEqual([{ owners: 1, held: 16 }]);
  });

  it('marks nothing under a fence it has lost', async () => {
    const aggregate = randomUUID();
    const platform = await open();
    await write(aggregate, [1]);
    await allPublished();
    const { markPublished, readUnpublished } = await import('../src/outbox-store.ts');
    await stack.database.query('UPDATE event_outbox SET published_at = NULL');
    await stack.nats.kill();
    const shards = await stack.database.query<{ shard: number; fence: bigint }>(
      `SELECT shard, fence FROM outbox_shards WHERE source = 'credits' ORDER BY shard`,
    );
    const rows = await readUnpublished(platform.database, shards, { perShard: 10, total: 10 });
    expect(rows).toHaveLength(1);
    const published = rows.map((row) => ({ row, streamSeq: 1 }));
    const stale = shards.map(({ shard, fence }) => ({ shard, fence: fence - 1n }));
    await markPublished(platform.database, stale, published);
    expect(await count('published_at IS NULL')).toBe(1);
    await markPublished(platform.database, shards, published);
    expect(await count('published_at IS NULL')).toBe(0);
    await stack.nats.restart();
  });
});

describe('a broker that is killed', () => {
  it('loses nothing and repeats nothing when it comes back', async () => {
    const platform = await open();
    await startConsumers(platform, [recorder]);
    const aggregate = randomUUID();
    await write(aggregate, range(1, 300));
    await waitFor(async () => (await effects(aggregate)).length > 0);
    await stack.nats.kill();
    await write(aggregate, range(301, 400));
    await stack.nats.restart();
    await waitFor(async () => (await effects(aggregate)).length >= 400);
    await allPublished();
    const seen = await effects(aggregate);
    expect(seen.toSorted((a, b) => a - b)).toEqual(range(1, 400));
  });

  it('that comes back empty gets its streams, consumers and events again', async () => {
    const platform = await open();
    await startConsumers(platform, [recorder]);
    const aggregate = randomUUID();
    await write(aggregate, range(1, 50));
    await waitFor(async () => (await effects(aggregate)).length === 50);
    await allPublished();
    await stack.nats.kill();
    await stack.nats.restart({ empty: true });
    await write(aggregate, [51]);
    await waitFor(async () => (await effects(aggregate)).length === 51);
    await waitFor(async () => (await stored(platform)) === 51, {
      describe: 'lost events on the stream again',
    });
    expect(await effects(aggregate)).toEqual(range(1, 51));
  });

  it('that comes back with an older state gets what is missing', async () => {
    const platform = await open();
    const aggregate = randomUUID();
    await write(aggregate, range(1, 30));
    await allPublished();
    // What an older backup lacks: the newest messages. The server learns at its start which ids it has.
    const { streams } = await manager(platform);
    for (const seq of range(21, 30)) await streams.deleteMessage('EVENTS', seq);
    await close(platform);
    await stack.nats.kill();
    await stack.nats.restart();
    const next = await open();
    await waitFor(async () => (await count('stream_seq > 30')) === 10, {
      describe: 'missing events published again',
    });
    expect(await count('stream_seq <= 20')).toBe(20);
    expect(await stored(next)).toBe(30);
  });

  it('whose stream is made anew behind its back is found out at the next look, whatever its numbers', async () => {
    const setUp = await open();
    await close(setUp);
    const config = stack.config('credits');
    const platform = await openRelay({ compareEveryMs: 4_000 });
    const aggregate = randomUUID();
    await write(aggregate, range(1, 20));
    await allPublished();
    const { streams } = await jetstreamManager(platform.nats.connection);
    await streams.delete('EVENTS');
    await ensureStreams(platform.nats.connection, config);
    // Others have brought it further than the old one was before the next look, so that no number tells.
    const others = jetstream(platform.nats.connection);
    for (const _ of range(1, 40))
      await others.publish(`sb.run.started.${randomUUID()}.${randomUUID()}`, '{}');
    await write(aggregate, [21]);
    await waitFor(async () => (await streams.info('EVENTS')).state.messages === 61, {
      describe: 'all events on the new stream',
    });
    await allPublished();
    expect(await count('stream_seq > 40')).toBe(21);
    await platform.stop();
  });

  it('that is full makes the outbox hold its rows, and says so', async () => {
    const platform = await open({ NATS_STREAM_MAX_BYTES: '40000' });
    const aggregate = randomUUID();
    await write(aggregate, range(1, 200));
    const held = () => platform.metrics.getSingleMetricAsString('outbox_held');
    await waitFor(async () => / 1$/m.test(await held()), { describe: 'the relay says that it holds rows' });
    const waiting = await count('published_at IS NULL');
    expect(waiting).toBeGreaterThan(0);
    const { streams } = await manager(platform);
    await streams.update('EVENTS', { max_bytes: 4_000_000 });
    await allPublished();
    await waitFor(async () => / 0$/m.test(await held()));
    expect(await stored(platform)).toBe(200);
  });
});
