import { jetstream } from '@nats-io/jetstream';
import { RequestError } from '@nats-io/transport-node';
import { type Envelope, subjectOf } from '@swissbrain/shared-schema/events/envelope';
import type { ServiceName } from '@swissbrain/shared-schema/ids';
import { toError } from './errors.ts';
import { envelopeToHeaders } from './event-headers.ts';
import type { Nats } from './nats.ts';
import type { OutboxRow, PublishedRow } from './outbox-store.ts';
import { eventStream } from './streams.ts';

export interface PublishOutcome {
  readonly published: readonly PublishedRow[];
  /** The first failure; the rows of that aggregate from there on were held. */
  readonly failure?: Error;
  /** Nobody took the publish: the stream is not there. */
  readonly streamMissing: boolean;
}

/** Puts rows on the stream. */
export type Publisher = (rows: readonly OutboxRow[], mayPublish: () => boolean) => Promise<PublishOutcome>;

const ackTimeoutMs = 5_000;
/** Aggregates published side by side. */
const parallelAggregates = 256;
/** One failure may be the row's own, so many are the stream's: no further publish begins then. */
const failuresToStop = 3;

/**
 * Publishes to JetStream under the event's id, which lets the server drop a repeat. An aggregate has at most one
 * unacknowledged publish, so its order holds whatever fails; different aggregates go out side by side.
 */
export function createPublisher(nats: Nats, source: ServiceName): Publisher {
  const stream = jetstream(nats.connection, { timeout: ackTimeoutMs });
  const publishRow = async (row: OutboxRow): Promise<PublishedRow> => {
    const ack = await stream.publish(subjectOf(row.type, row.user_id, row.root_id), row.data, {
      msgID: row.id,
      headers: envelopeToHeaders(envelopeOf(row, source)),
      expect: { streamName: eventStream },
      timeout: ackTimeoutMs,
      retries: 1,
    });
    return { row, streamSeq: ack.seq, repeated: ack.duplicate };
  };
  return async (rows, mayPublish) => {
    const published: PublishedRow[] = [];
    const failures: Error[] = [];
    const chains = byAggregate(rows);
    const work = chains.values();
    const publishChain = async (chain: readonly OutboxRow[]): Promise<void> => {
      for (const row of chain) {
        if (failures.length >= failuresToStop || !mayPublish()) return;
        published.push(await publishRow(row));
      }
    };
    const publishChains = async (): Promise<void> => {
      for (const chain of work) {
        await publishChain(chain).catch((thrown: unknown) => void failures.push(toError(thrown)));
      }
    };
    const all = Array.from({ length: Math.min(parallelAggregates, chains.size) }, publishChains);
    await untilLost(nats, Promise.all(all), () => {
      for (let count = 0; count < failuresToStop; count += 1) failures.push(new Error('NATS went away'));
    });
    const [failure] = failures;
    return {
      published: [...published],
      streamMissing: failures.some(isNoResponders),
      ...(failure ? { failure } : {}),
    };
  };
}

/**
 * Waits for `work` while the server is there. Answers that a lost server owes would only time out, and what it
 * has stored goes out again under the same ids.
 */
async function untilLost(nats: Nats, work: Promise<unknown>, onLost: () => void): Promise<void> {
  const { promise: lost, resolve } = Promise.withResolvers<void>();
  const off = nats.onDisconnect(() => {
    onLost();
    resolve();
  });
  await Promise.race([work, lost]).finally(off);
}

function isNoResponders({ cause }: Error): boolean {
  return cause instanceof RequestError && cause.isNoResponders();
}

function byAggregate(rows: readonly OutboxRow[]): Map<string, OutboxRow[]> {
  const chains = new Map<string, OutboxRow[]>();
  for (const row of rows) {
    const chain = chains.get(row.aggregate_id);
    if (chain) chain.push(row);
    else chains.set(row.aggregate_id, [row]);
  }
  for (const chain of chains.values()) chain.sort((a, b) => (a.aggregate_seq < b.aggregate_seq ? -1 : 1));
  return chains;
}

function envelopeOf(row: OutboxRow, source: ServiceName): Envelope {
  const {
    id,
    type,
    version,
    aggregate_type,
    aggregate_id,
    aggregate_seq,
    user_id,
    root_id,
    run_seq,
    traceparent,
  } = row;
  const order = { aggregate_type, aggregate_id, aggregate_seq, run_seq };
  return { id, type, version, source, time: row.created_at, ...order, user_id, root_id, traceparent };
}
