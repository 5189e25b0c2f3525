import { randomUUID } from 'node:crypto';
import { jetstream } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { parseConfig } from '@swissbrain/service-kit/config';
import { envelopeToHeaders } from '@swissbrain/service-kit/event-headers';
import { type EventDefinition, subjectOf } from '@swissbrain/shared-schema/events/envelope';
import { createTestDatabase } from '@swissbrain/testkit/database';
import { serviceEnvironment } from '@swissbrain/testkit/environment';
import { startTestNats } from '@swissbrain/testkit/nats';
import { startTestRedis } from '@swissbrain/testkit/redis';
import { configSchema } from '../src/config.ts';
import { startService } from '../src/service.ts';

/** The whole service on a database, NATS and Redis of its own, and a way to say what agent-runner would say. */
export async function startCredits(overrides: Readonly<Record<string, string>> = {}) {
  await using opened = new AsyncDisposableStack();
  const database = opened.adopt(await createTestDatabase(), (clone) => clone.drop());
  const nats = opened.adopt(await startTestNats(), (server) => server.stop());
  const redis = opened.adopt(await startTestRedis(), (server) => server.stop());
  const environment = serviceEnvironment('credits', { database, nats, redis, overrides });
  const service = opened.adopt(await startService(parseConfig(configSchema, environment)), (running) =>
    running.stop(),
  );
  const connection = opened.adopt(await connect({ servers: nats.url }), (client) => client.close());
  const stream = jetstream(connection);
  const owned = opened.move();

  return {
    url: service.url,
    database,
    nats,
    redis,
    connection,
    /** Publishes an event as its owner's relay would; the same `id` again is a redelivery. */
    async publish(
      definition: EventDefinition,
      { user, run, data, id = randomUUID() }: { user: string; run: string; data: object; id?: string },
    ): Promise<void> {
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
      await stream.publish(subjectOf(definition.type, user, run), JSON.stringify(data), {
        headers: envelopeToHeaders(envelope),
      });
    },
    stop: () => owned.disposeAsync(),
  };
}
export type CreditsUnderTest = Awaited<ReturnType<typeof startCredits>>;
