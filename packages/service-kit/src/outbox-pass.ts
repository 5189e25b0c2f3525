import type { ServiceName } from '@swissbrain/shared-schema/ids';
import type { Clock } from './clock.ts';
import type { BaseConfig } from './config.ts';
import type { Database } from './database.ts';
import { toError } from './errors.ts';
import type { Logger } from './logger.ts';
import type { Nats } from './nats.ts';
import type { ShardLeases } from './outbox-leases.ts';
import { createPublisher } from './outbox-publisher.ts';
import { republishLost } from './outbox-recovery.ts';
import { markPublished, type PublishedRow, readUnpublished } from './outbox-store.ts';
import { ensureStreams } from './streams.ts';

export interface RelayPass {
  readonly published: number;
  /** There was more than one pass could take. */
  readonly full: boolean;
  /** Why rows were left: NATS is away, the stream is missing or full, or the database does not answer. */
  readonly held?: Error;
}

export interface RelayPassOptions {
  readonly service: ServiceName;
  readonly config: BaseConfig;
  readonly log: Logger;
  readonly clock: Clock;
  readonly database: Database;
  readonly nats: Nats;
  readonly leases: ShardLeases;
  readonly compareEveryMs?: number;
  /** Test signal: rows are on the stream and not yet marked. */
  readonly onPublished?: (rows: number) => Promise<void>;
}

const limits = { perShard: 128, total: 500 };
/** So often what was published is compared with the stream, should nothing else have told that it was lost. */
const defaultCompareMs = 60_000;
const nothing: RelayPass = { published: 0, full: false };

/** One pass of the relay: read the shards held, publish, mark. `forget` makes the next one look at the stream first. */
export function createRelayPass(options: RelayPassOptions): {
  runOnce(): Promise<RelayPass>;
  forget(): void;
} {
  const { service, config, log, clock, database, nats, leases } = options;
  const compareEveryMs = options.compareEveryMs ?? defaultCompareMs;
  const publish = createPublisher(nats, service);
  let rotation = 0;
  /** Shards whose published rows have been compared with the stream since it may have been lost. */
  let compared = new Set<number>();
  let comparedAt = Number.NEGATIVE_INFINITY;
  /** The highest sequence that the stream gave to an event from here. */
  let newestSeq = 0;

  const compare = async (shards: readonly number[]): Promise<void> => {
    const pending = shards.filter((shard) => !compared.has(shard));
    if (pending.length === 0) return;
    const before = compared;
    await ensureStreams(nats.connection, config);
    const maxAgeHours = config.NATS_STREAM_MAX_AGE_HOURS;
    await republishLost({ database, nats: nats.connection, shards: pending, maxAgeHours, log });
    // Not when NATS has been away in the meantime.
    for (const shard of pending) before.add(shard);
    comparedAt = clock.monotonicMs();
    newestSeq = 0;
  };
  /** A stream that counts on from a lower number is not the one that took the events before. */
  const wasReset = (published: readonly PublishedRow[]): boolean => {
    const fresh = published.filter(({ repeated }) => !repeated).map(({ streamSeq }) => streamSeq);
    if (fresh.length === 0) return false;
    const reset = Math.min(...fresh) <= newestSeq;
    newestSeq = Math.max(newestSeq, ...fresh);
    return reset;
  };

  const pass = async (): Promise<RelayPass> => {
    const held = leases.held();
    const shards = held.map(({ shard }) => shard);
    if (shards.length === 0) return nothing;
    if (!nats.isConnected()) return { ...nothing, held: new Error('NATS is away') };
    if (clock.monotonicMs() - comparedAt > compareEveryMs) compared = new Set();
    await compare(shards);
    rotation = (rotation + 1) % shards.length;
    const rows = await readUnpublished(
      database,
      [...shards.slice(rotation), ...shards.slice(0, rotation)],
      limits,
    );
    if (rows.length === 0) return nothing;
    const { published, failure, streamMissing } = await publish(rows, () => leases.held().length > 0);
    await options.onPublished?.(published.length);
    if (wasReset(published)) {
      // These wait behind what was lost; the stream drops the repeat.
      compared = new Set();
      return { ...nothing, full: true };
    }
    if (published.length > 0) await markPublished(database, held, published);
    if (streamMissing) compared = new Set();
    const full = rows.length >= limits.perShard && published.length > 0;
    return { published: published.length, full, ...(failure ? { held: failure } : {}) };
  };

  return {
    runOnce: () => pass().catch((thrown: unknown) => ({ ...nothing, held: toError(thrown) })),
    forget() {
      compared = new Set();
    },
  };
}
