import { randomUUID } from 'node:crypto';
import { jetstream } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { parseConfig } from '@swissbrain/service-kit/config';
import { envelopeToHeaders } from '@swissbrain/service-kit/event-headers';
import { type EventDefinition, subjectOf } from '@swissbrain/shared-schema/events/envelope';
import { createTestDatabase, type TestDatabase } from '@swissbrain/testkit/database';
import { serviceEnvironment } from '@swissbrain/testkit/environment';
import { startTestNats } from '@swissbrain/testkit/nats';
import { startTestRedis } from '@swissbrain/testkit/redis';
import { configSchema } from '../src/config.ts';
import { startService } from '../src/service.ts';

/** The whole service on a database, NATS and Redis of its own, and a way to say what agent-runner would say. */
export async function startCredits(overrides: Readonly<Record<string, string>> = {}) {
  await using opened = new AsyncDisposableStack();
  const surroundings = opened.adopt(await openSurroundings(), (around) => around.stop());
  const config = parseConfig(configSchema, surroundings.environment(overrides));
  const service = opened.adopt(await startService(config), (running) => running.stop());
  const owned = opened.move();
  return { ...surroundings, url: service.url, stop: () => owned.disposeAsync() };
}
export type CreditsUnderTest = Awaited<ReturnType<typeof startCredits>>;

interface Publication {
  readonly user: string;
  readonly run: string;
  readonly data: object;
  readonly id?: string;
  readonly known?: boolean;
}

/** What the service needs around it, for tests that start it themselves; on a clone, or the given database. */
export async function openSurroundings(given?: TestDatabase) {
  await using opened = new AsyncDisposableStack();
  const database = opened.adopt(given ?? (await createTestDatabase()), (clone) => clone.drop());
  const nats = opened.adopt(await startTestNats(), (server) => server.stop());
  const redis = opened.adopt(await startTestRedis(), (server) => server.stop());
  const connection = opened.adopt(await connect({ servers: nats.url }), (client) => client.close());
  const stream = jetstream(connection);
  const owned = opened.move();

  return {
    database,
    nats,
    redis,
    connection,
    environment: (overrides: Readonly<Record<string, string>> = {}) =>
      serviceEnvironment('credits', { database, nats, redis, overrides }),
    /**
     * Publishes an event as its owner's relay would; the same `id` again is a redelivery. With `known` the broker is told the id, as
     * the relay does, and drops what it has seen within its window; false when it did.
     */
    async publish(
      definition: EventDefinition,
      { user, run, data, id = randomUUID(), known = false }: Publication,
    ): Promise<boolean> {
      const envelope = {
        id,
        type: definition.type,
        version: definition.version,
        source: definition.source,
        time: '2026-01-13T10:00:00.000Z',
        aggregate_type: definition.aggregate,
        aggregate_id: run,
        aggregate_seq: 1n,
        user_id: user,
        root_id: run,
        run_seq: null,
        traceparent: null,
      };
      const { duplicate } = await stream.publish(
        subjectOf(definition.type, user, run),
        JSON.stringify(data),
        { headers: envelopeToHeaders(envelope), ...(known ? { msgID: id } : {}) },
      );
      return !duplicate;
    },
    stop: () => owned.disposeAsync(),
  };
}
