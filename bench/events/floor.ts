/** The same by hand, as fast as it can be: no shards, no leases, no order, no inbox, nothing that survives a fault. */
import { randomUUID } from 'node:crypto';
import { AckPolicy, DiscardPolicy, jetstream, jetstreamManager, StorageType } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { envelopeToHeaders } from '@swissbrain/service-kit/event-headers';
import { Client, Pool } from 'pg';
import { z } from 'zod';
import { filler, measured, rawSubject } from './events.ts';
import { commitAtPace, createLatencies } from './pace.ts';
import { type Answer, answerRequests } from './program.ts';

const { DATABASE_URL, NATS_URL } = z
  .object({ DATABASE_URL: z.string(), NATS_URL: z.string() })
  .parse(process.env);
const pool = new Pool({ connectionString: DATABASE_URL, max: 10 });
const nats = await connect({ servers: NATS_URL });
const manager = await jetstreamManager(nats);
const stream = jetstream(nats);
await pool.query('CREATE TABLE IF NOT EXISTS bench_floor (id uuid PRIMARY KEY, data jsonb)');
await manager.streams.add({
  ...{ name: 'RAW', subjects: [rawSubject], storage: StorageType.File, discard: DiscardPolicy.New },
});

const body = (key: string) => JSON.stringify({ key, filler });
/** The message that our relay would send: as many bytes for the server to store and to deliver. */
function publish(data: string) {
  const id = randomUUID();
  const head = envelopeToHeaders({
    ...{ id, type: measured.type, version: 1, source: measured.source, time: '2026-01-01T00:00:00.000000Z' },
    ...{ aggregate_type: measured.aggregate, aggregate_id: id, aggregate_seq: 1n, run_seq: null },
    ...{ user_id: id, root_id: id, traceparent: null },
  });
  return stream.publish(rawSubject, data, { msgID: id, headers: head });
}

async function paced(events: number, perSecond: number): Promise<Answer> {
  const latencies = createLatencies();
  const run = randomUUID();
  await manager.streams.purge('RAW');
  await manager.consumers.add('RAW', { durable_name: 'floor', ack_policy: AckPolicy.Explicit });
  const messages = await (await stream.consumers.get('RAW', 'floor')).consume({
    callback: (message) => {
      const { key } = message.json<{ key: string }>();
      if (key.startsWith(run)) latencies.handled(key);
      message.ack();
    },
  });
  const listener = new Client({ connectionString: DATABASE_URL });
  await listener.connect();
  listener.on('notification', ({ payload }) => void publish(payload ?? ''));
  await listener.query('LISTEN bench_floor');
  await commitAtPace(events, perSecond, async (index) => {
    const key = `${run}:${index}`;
    await pool.query(
      `WITH row AS (INSERT INTO bench_floor VALUES ($1, $2::jsonb)) SELECT pg_notify('bench_floor', $3)`,
      [randomUUID(), body(key), body(key)],
    );
    latencies.commit(key);
  });
  const ms = await latencies.all(events);
  await messages.close();
  await listener.end();
  return { ms, seconds: 0 };
}

/** So many publishes with as many unanswered as the relay may have. */
async function drain(events: number): Promise<Answer> {
  await manager.streams.purge('RAW');
  let left = events;
  const began = performance.now();
  const publishOn = async () => {
    while (left > 0) {
      left -= 1;
      await publish(body('drain'));
    }
  };
  await Promise.all(Array.from({ length: 256 }, publishOn));
  return { ms: [], seconds: (performance.now() - began) / 1_000 };
}

await answerRequests((request) =>
  request.what === 'paced' ? paced(request.events, request.perSecond) : drain(request.events),
);
await nats.close();
await pool.end();
