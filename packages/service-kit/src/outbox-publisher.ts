import { jetstream } from '@nats-io/jetstream';
import { RequestError } from '@nats-io/transport-node';
import { type Envelope, subjectOf } from '@swissbrain/shared-schema/events/envelope';
import type { ServiceName } from '@swissbrain/shared-schema/ids';
import { envelopeToHeaders } from './event-headers.ts';
import type { Nats } from './nats.ts';
import type { OutboxRow, PublishedRow } from './outbox-store.ts';
import { eventStream } from './streams.ts';

/** Puts a row on the stream; resolves with its place there once the server has stored it. */
export type Publish = (row: OutboxRow) => Promise<PublishedRow>;

const ackTimeoutMs = 5_000;

/** Publishes to JetStream under the event's id, which lets the server drop a repeat. */
export function createPublisher(nats: Nats, source: ServiceName): Publish {
  const stream = jetstream(nats.connection, { timeout: ackTimeoutMs });
  return async (row) => {
    const ack = await stream.publish(subjectOf(row.type, row.user_id, row.root_id), row.data, {
      msgID: row.id,
      headers: envelopeToHeaders(envelopeOf(row, source)),
      expect: { streamName: eventStream },
      timeout: ackTimeoutMs,
      retries: 1,
    });
    return { row, streamSeq: ack.seq, repeated: ack.duplicate };
  };
}

/** Nobody took the publish: the stream is not there. */
export function isStreamMissing({ cause }: Error): boolean {
  return cause instanceof RequestError && cause.isNoResponders();
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
