import { AckPolicy, DeliverPolicy, type JetStreamManager } from '@nats-io/jetstream';
import { type NatsConnection, nanos } from '@nats-io/transport-node';
import { outboxCheckName } from '@swissbrain/shared-schema/events/consumers';
import { subjectOf } from '@swissbrain/shared-schema/events/envelope';
import type { ServiceName } from '@swissbrain/shared-schema/ids';
import type { Database } from './database.ts';
import type { Logger } from './logger.ts';
import { type MarkedRow, newestMarked, unmarkAbove } from './outbox-store.ts';
import { eventStream, streamManager } from './streams.ts';

const messageIdHeader = 'Nats-Msg-Id';
/** Rows this much younger than the stream's age limit are looked for; older ones it may just have dropped. */
const ageMarginHours = 1;

/**
 * Compares what the outbox says it has published with what the stream holds, and lets rows that are missing
 * there go out again: after the stream was lost, or restored from an older state. Of the rows by stream sequence
 * a stream keeps a prefix, so the end of it is found by halving. Returns how many rows wait again.
 */
export async function republishLost(options: {
  readonly database: Database;
  readonly nats: NatsConnection;
  readonly shards: readonly number[];
  readonly maxAgeHours: number;
  readonly log: Logger;
}): Promise<number> {
  const { database, shards, log } = options;
  const keptHours = options.maxAgeHours - ageMarginHours;
  if (keptHours <= 0 || shards.length === 0) return 0;
  const manager = await streamManager(options.nats);
  const newest = await newestMarked(database, shards, keptHours, null);
  if (!newest || (await isInStream(manager, database.service, newest))) return 0;

  let present = 0n;
  let missing = newest.stream_seq;
  while (missing - present > 1n) {
    const middle = (present + missing) / 2n;
    const row = await newestMarked(database, shards, keptHours, middle);
    if (!row || row.stream_seq <= present) present = middle;
    else if (await isInStream(manager, database.service, row)) present = middle;
    else missing = row.stream_seq;
  }
  const rows = await unmarkAbove(database, shards, keptHours, present);
  log.warn({ rows, presentUpTo: present }, 'the stream has lost events, they are published again');
  return rows;
}

/**
 * Whether the stream has this very event where the outbox was told that it went. Reading by sequence would need the
 * right to read what every service says; a consumer of the event's own subject shows a service its own and no more.
 */
async function isInStream(manager: JetStreamManager, service: ServiceName, row: MarkedRow): Promise<boolean> {
  const name = outboxCheckName(service);
  const sequence = Number(row.stream_seq);
  const consumer = await manager.consumers.add(eventStream, {
    name,
    filter_subject: subjectOf(row.type, row.user_id, row.root_id),
    deliver_policy: DeliverPolicy.StartSequence,
    opt_start_seq: sequence,
    ack_policy: AckPolicy.None,
    headers_only: true,
    mem_storage: true,
    // For the case that this process dies before it is deleted.
    inactive_threshold: nanos(5_000),
  });
  try {
    if (consumer.num_pending === 0) return false;
    const next = await manager.jetstream().consumers.getConsumerFromInfo(consumer).next({ expires: 5_000 });
    if (next === null) throw new Error('the stream does not show what was published');
    return next.seq === sequence && next.headers?.get(messageIdHeader) === row.id;
  } finally {
    await manager.consumers.delete(eventStream, name);
  }
}
