import {
  type EarlierVersion,
  type Envelope,
  type EventDefinition,
  subjectOf,
} from '@swissbrain/shared-schema/events/envelope';
import { eventKey, eventRegistry } from '@swissbrain/shared-schema/events/registry';
import type { ServiceName } from '@swissbrain/shared-schema/ids';
import { inboxPrefix } from '@swissbrain/shared-schema/nats-permissions';
import { systemClock } from './clock.ts';
import { envelopeToHeaders } from './event-headers.ts';
import type { Nats } from './nats.ts';
import type { OutboxRow, PublishedRow } from './outbox-store.ts';
import { createPublishAndWait, type StoredAt } from './publish-acks.ts';
import { eventStream } from './streams.ts';

/** Puts a row on the stream; resolves with its place there once the server has stored it. */
export type Publish = (row: OutboxRow) => Promise<PublishedRow>;

const ackTimeoutMs = 5_000;

/** Finds what an event of the outbox is; undefined for one that this build does not know. */
export type FindDefinition = (type: string, version: number) => EventDefinition | undefined;

const findInRegistry: FindDefinition = (type, version) => eventRegistry.get(eventKey(type, version));

/**
 * Publishes to JetStream under the event's id, which lets the server drop a repeat. A fact that goes out in several
 * versions is one event to all who count: one row, one `ce-id`, the earlier versions first.
 */
export function createPublisher(
  nats: Nats,
  source: ServiceName,
  findDefinition: FindDefinition = findInRegistry,
): Publish {
  const publish = createPublishAndWait({
    connection: nats.connection,
    inboxPrefix: inboxPrefix(source),
    stream: eventStream,
    timeoutMs: ackTimeoutMs,
    monotonicMs: systemClock.monotonicMs,
  });
  const send = (row: OutboxRow, { version, data, also }: Message): Promise<StoredAt> =>
    publish({
      subject: subjectOf(row.type, row.user_id, row.root_id),
      data,
      id: version === row.version ? row.id : `${row.id}:${version}`,
      headers: envelopeToHeaders({ ...envelopeOf(row, source), version, also_versions: also }),
    });
  return async (row) => {
    const beside = findDefinition(row.type, row.version)?.beside ?? [];
    for (const message of earlierMessages(row, beside)) await send(row, message);
    const also = beside.map(({ definition }) => definition.version);
    const ack = await send(row, { version: row.version, data: row.data, also });
    return { row, streamSeq: ack.seq, repeated: ack.duplicate };
  };
}

interface Message {
  readonly version: number;
  readonly data: string;
  readonly also: number[];
}

function earlierMessages(row: OutboxRow, beside: readonly EarlierVersion[]): Message[] {
  const versions = [...beside.map(({ definition }) => definition.version), row.version];
  return beside.map(({ definition, toEarlier }) => ({
    version: definition.version,
    data: JSON.stringify(definition.data.parse(toEarlier(JSON.parse(row.data)))),
    also: versions.filter((version) => version !== definition.version),
  }));
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
