/** A service as it ships: outbox, relay and consumer of the kit in one process. */
import { randomUUID } from 'node:crypto';
import { systemClock } from '@swissbrain/service-kit/clock';
import { baseConfigSchema, parseConfig } from '@swissbrain/service-kit/config';
import { type ConsumerDefinition, startConsumers } from '@swissbrain/service-kit/consumer';
import { createDatabase } from '@swissbrain/service-kit/database';
import { createLogger } from '@swissbrain/service-kit/logger';
import { createMetrics } from '@swissbrain/service-kit/metrics';
import { connectNats } from '@swissbrain/service-kit/nats';
import { appendEvents } from '@swissbrain/service-kit/outbox';
import { startOutboxRelay } from '@swissbrain/service-kit/outbox-relay';
import { openPlatform } from '@swissbrain/service-kit/platform';
import { ensureStreams } from '@swissbrain/service-kit/streams';
import type { EventData } from '@swissbrain/shared-schema/events/envelope';
import { Pool } from 'pg';
import { aggregateCount, backlogType, filler, measured } from './events.ts';
import { commitAtPace, createLatencies } from './pace.ts';
import { type Answer, answerRequests } from './program.ts';

const config = parseConfig(baseConfigSchema, process.env);
const admin = new Pool({ connectionString: config.DATABASE_URL, max: 1 });

async function paced(events: number, perSecond: number): Promise<Answer> {
  const run = randomUUID();
  let latencies = createLatencies();
  const platform = await openPlatform('credits', config);
  try {
    const timing: ConsumerDefinition<EventData<typeof measured>> = {
      ...{ durable: 'bench-paced', event: measured, concurrency: 200, batch: 100 },
      ...{ ackWaitMs: 30_000, backoffMs: [100], maxAttempts: 10 },
      async handle(_tx, received) {
        for (const { data } of received) if (data.key.startsWith(run)) latencies.handled(data.key);
      },
    };
    await startConsumers(platform, [timing]);
    const aggregates = Array.from({ length: aggregateCount }, () => randomUUID());
    let seq = 0n;
    const commit = async (index: string): Promise<void> => {
      const aggregateId = aggregates[Number(index) % aggregateCount] ?? '';
      const key = `${run}:${seq}`;
      seq += 1n;
      const event = { definition: measured, aggregateId, aggregateSeq: seq, userId: aggregateId };
      await platform.database.withService((tx) =>
        appendEvents(tx, [{ ...event, rootId: aggregateId, data: { key, filler } }]),
      );
      latencies.commit(key);
    };
    // The floor's connections stand before its first event: ours lease their shards first.
    await commitAtPace(warmUpEvents, perSecond, commit);
    await latencies.all(warmUpEvents);
    latencies = createLatencies();
    await commitAtPace(events, perSecond, commit);
    return { ms: await latencies.all(events), seconds: 0 };
  } finally {
    await platform.release.release(8_000);
  }
}

const warmUpEvents = 200;

/** Rows that wait as after an outage; from the start of the relay until the last is marked. */
async function drain(events: number): Promise<Answer> {
  await admin.query(
    `INSERT INTO event_outbox (source, aggregate_type, aggregate_id, aggregate_seq, type, version, user_id, root_id, data)
     SELECT 'credits', 'measurement', a.id, n, $1, 1, a.id, a.id, jsonb_build_object('key', 'drain', 'filler', $2::text)
     FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, $3)) AS a, generate_series(1, $4) AS n`,
    [backlogType, filler, aggregateCount, events / aggregateCount],
  );
  const service = 'credits';
  const log = createLogger({ service, level: config.LOG_LEVEL });
  const database = createDatabase({ service, config, log });
  const nats = await connectNats(service, config, log);
  await ensureStreams(nats.connection, config);
  const { promise: all, resolve } = Promise.withResolvers<void>();
  let published = 0;
  const began = performance.now();
  const relay = startOutboxRelay({
    ...{ service, config, log, database, nats, clock: systemClock, metrics: createMetrics(service) },
    async onPublished(rows) {
      published += rows;
      if (published >= events) resolve();
    },
  });
  await all;
  // Ends the pass under way, and with it the last mark.
  await relay.stop();
  const seconds = (performance.now() - began) / 1_000;
  await nats.connection.close();
  await database.close();
  return { ms: [], seconds };
}

await answerRequests((request) =>
  request.what === 'paced' ? paced(request.events, request.perSecond) : drain(request.events),
);
await admin.end();
