import { randomUUID } from 'node:crypto';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { baseConfigSchema, parseConfig } from '@swissbrain/service-kit/config';
import { type ConsumerDefinition, startConsumers } from '@swissbrain/service-kit/consumer';
import { openPlatform, type Platform } from '@swissbrain/service-kit/platform';
import { ensureStreams } from '@swissbrain/service-kit/streams';
import { userCreated } from '@swissbrain/shared-schema/events/credits';
import { createTestDatabase, type TestDatabase } from '@swissbrain/testkit/database';
import { serviceEnvironment } from '@swissbrain/testkit/environment';
import { startRestrictedTestNats } from '@swissbrain/testkit/nats';
import { startTestRedis } from '@swissbrain/testkit/redis';
import type { TestServer } from '@swissbrain/testkit/server';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let nats: Awaited<ReturnType<typeof startRestrictedTestNats>>;
let redis: TestServer;
let database: TestDatabase;
let platform: Platform;
const seen: string[] = [];

const recorder: ConsumerDefinition<unknown> = {
  durable: 'user-created',
  event: userCreated,
  ...{ concurrency: 10, batch: 10, ackWaitMs: 30_000, backoffMs: [10], maxAttempts: 100 },
  async handle(_tx, events) {
    seen.push(...events.map(({ envelope }) => envelope.id));
  },
};
const settings = { NATS_STREAM_MAX_AGE_HOURS: 72, NATS_STREAM_MAX_BYTES: -1, NATS_STREAM_REPLICAS: 1 };

async function withAdmin<T>(work: (admin: Awaited<ReturnType<typeof connect>>) => Promise<T>): Promise<T> {
  const admin = await connect({ servers: nats.url, user: 'admin', pass: nats.passwordOf('admin') });
  try {
    return await work(admin);
  } finally {
    await admin.close();
  }
}
const stored = () =>
  withAdmin(async (admin) => (await (await jetstreamManager(admin)).streams.info('EVENTS')).state.messages);

/** A metric as it is scraped now; of those of streams that of EVENTS. */
async function metric(name: string): Promise<number | undefined> {
  const all = await platform.metrics.getMetricsAsJSON();
  return all.find((one) => one.name === name)?.values[0]?.value;
}

/** Each new user is an event, which the trigger appends. */
function createUsers(count: number): Promise<unknown> {
  return database.query(
    'INSERT INTO auth.users (id) SELECT gen_random_uuid() FROM generate_series(1, $1::int)',
    [count],
  );
}

beforeAll(async () => {
  [nats, redis, database] = await Promise.all([
    startRestrictedTestNats(),
    startTestRedis(),
    createTestDatabase(),
  ]);
  await withAdmin((admin) => ensureStreams(admin, settings));
  const overrides = { NATS_USER: 'credits', NATS_PASSWORD: nats.passwordOf('credits') };
  const environment = serviceEnvironment('credits', { database, nats, redis, overrides });
  platform = await openPlatform('credits', parseConfig(baseConfigSchema, environment));
  await startConsumers(platform, [recorder]);
});
afterAll(async () => {
  await platform.release.release(8_000);
  await Promise.all([nats.stop(), redis.stop(), database.drop()]);
});

describe('a service with its own rights alone', () => {
  it('publishes and consumes', async () => {
    await createUsers(20);
    await waitFor(async () => seen.length === 20);
  });

  it('holds its events while the streams are gone, and publishes those again that went with them', async () => {
    await nats.restart({ empty: true });
    await createUsers(1);
    await waitFor(async () => (await metric('outbox_held')) === 1);
    await withAdmin((admin) => ensureStreams(admin, settings));
    await waitFor(async () => (await stored()) === 21, { describe: 'all events on the new stream' });
    await waitFor(async () => seen.length >= 21);
    expect(new Set(seen).size).toBe(21);
    expect(seen).toHaveLength(21);
  });

  it('holds its events while the stream is full, says so, and goes on when it may be larger', async () => {
    const limitTo = (bytes: number) =>
      withAdmin(async (admin) =>
        (await jetstreamManager(admin)).streams.update('EVENTS', { max_bytes: bytes }),
      );
    const before = seen.length;
    const { state } = await withAdmin(async (admin) =>
      (await jetstreamManager(admin)).streams.info('EVENTS'),
    );
    await limitTo(state.bytes + 2_000);
    await createUsers(50);
    await waitFor(async () => (await metric('outbox_held')) === 1);
    const [waiting] = await database.query<{ rows: number }>(
      'SELECT count(*)::int AS rows FROM event_outbox WHERE published_at IS NULL',
    );
    expect(waiting?.rows).toBeGreaterThan(0);
    expect(await metric('outbox_backlog_rows')).toBeGreaterThan(0);
    expect(await metric('outbox_oldest_seconds')).toBeGreaterThan(0);
    expect(await metric('stream_limit_bytes')).toBe(state.bytes + 2_000);
    // Asked of the broker at an interval, not with each batch.
    await waitFor(async () => ((await metric('stream_bytes')) ?? 0) > state.bytes);

    // Not what the service is configured with: the size is the administrator's to choose.
    await limitTo(50_000_000);
    await waitFor(async () => seen.length === before + 50);
    await waitFor(async () => (await metric('outbox_held')) === 0);
    expect(new Set(seen).size).toBe(seen.length);
  });

  it('sends what nobody may take: a dead event goes to the dead letters', async () => {
    await withAdmin(async (admin) => {
      admin.publish(`sb.user.created.${randomUUID()}.${randomUUID()}`, 'no event');
      const manager = await jetstreamManager(admin);
      await waitFor(async () => (await manager.streams.info('DLQ')).state.messages === 1);
    });
  });
});
