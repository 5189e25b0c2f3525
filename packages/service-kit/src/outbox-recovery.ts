import { AckPolicy, DeliverPolicy, type JetStreamManager } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { outboxCheckName } from '@swissbrain/shared-schema/events/consumers';
import { subjectOf } from '@swissbrain/shared-schema/events/envelope';
import type { ServiceName } from '@swissbrain/shared-schema/ids';
import type { Clock } from './clock.ts';
import type { Database } from './database.ts';
import type { Logger } from './logger.ts';
import type { Nats } from './nats.ts';
import { type MarkedRow, newestMarked, unmarkAbove } from './outbox-store.ts';
import { ensureStreams, eventStream, type StreamSettings, streamManager } from './streams.ts';

const messageIdHeader = 'Nats-Msg-Id';
/** Rows this much younger than the stream's age limit are looked for; older ones it may just have dropped. */
const ageMarginHours = 1;

export interface StreamCheckOptions {
  readonly config: StreamSettings;
  readonly clock: Clock;
  readonly database: Database;
  readonly nats: Nats;
  readonly log: Logger;
  /** How often the stream is looked at when nothing else has told that it was lost. */
  readonly everyMs: number;
}

/** Whether the stream still is what the outbox was told that it is. */
export interface StreamCheck {
  /** Compares shards that have not been since the last doubt, and lets what is lost wait again. False: none was due. */
  compare(shards: readonly number[]): Promise<boolean>;
  /** The stream may be another one. */
  forget(): void;
  /** Nothing may be published before the next comparison. */
  isDue(): boolean;
}

/** Makes sure of the stream before anything is published, and again after each doubt and each interval. */
export function createStreamCheck(options: StreamCheckOptions): StreamCheck {
  const { config, clock, database, log, everyMs } = options;
  const nats = options.nats.connection;
  const keptHours = config.NATS_STREAM_MAX_AGE_HOURS - ageMarginHours;
  let compared = new Set<number>();
  let comparedAt = Number.NEGATIVE_INFINITY;
  let forgotten = true;
  let identity: string | undefined;

  const isOver = () => clock.monotonicMs() - comparedAt > everyMs;
  return {
    async compare(shards) {
      if (forgotten || isOver()) compared = new Set();
      const before = compared;
      forgotten = false;
      const pending = shards.filter((shard) => !compared.has(shard));
      if (pending.length === 0) return false;
      try {
        await ensureStreams(nats, config);
        const manager = await streamManager(nats);
        const { created } = await manager.streams.info(eventStream);
        const isAnother = identity !== undefined && identity !== created;
        if (keptHours > 0) {
          // Another stream may have come further than the old one had: its numbers say nothing about what it holds.
          const rows = isAnother
            ? await unmarkAbove(database, shards, keptHours, 0n)
            : await unmarkLost(manager, database, pending, keptHours);
          if (rows > 0) log.warn({ rows }, 'the stream has lost events, they are published again');
        }
        identity = created;
      } catch (thrown) {
        forgotten = true;
        throw thrown;
      }
      for (const shard of pending) before.add(shard);
      comparedAt = clock.monotonicMs();
      return true;
    },
    forget() {
      forgotten = true;
    },
    isDue: () => forgotten || isOver(),
  };
}

/**
 * Lets rows that are missing on the stream go out again: after it was lost, or restored from an older state. Of the
 * rows by stream sequence a stream keeps a prefix, so the end of it is found by halving. Returns how many they are.
 */
async function unmarkLost(
  manager: JetStreamManager,
  database: Database,
  shards: readonly number[],
  keptHours: number,
): Promise<number> {
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
  return unmarkAbove(database, shards, keptHours, present);
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
