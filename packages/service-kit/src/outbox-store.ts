import { sql } from 'kysely';
import type { Database } from './database.ts';

/** A row of the outbox that waits to be published, as it goes out. */
export interface OutboxRow {
  readonly id: string;
  /** ISO 8601 with microseconds: part of the row's key and the event's `ce-time`. */
  readonly created_at: string;
  readonly shard: number;
  readonly aggregate_type: string;
  readonly aggregate_id: string;
  readonly aggregate_seq: bigint;
  readonly type: string;
  readonly version: number;
  readonly user_id: string;
  readonly root_id: string;
  readonly run_seq: bigint | null;
  readonly data: string;
  readonly traceparent: string | null;
}

/** A shard that this process owns, with the fence under which it does. */
export interface HeldShard {
  readonly shard: number;
  readonly fence: bigint;
}

export interface PublishedRow {
  readonly row: Pick<OutboxRow, 'id' | 'created_at' | 'shard'>;
  readonly streamSeq: number;
  /** The stream had it already, at this sequence. */
  readonly repeated?: boolean;
}

/** A row's place in the order of its shard. */
export interface Place {
  readonly aggregateId: string;
  readonly aggregateSeq: bigint;
}

/** Before every row. */
const start: Place = { aggregateId: '00000000-0000-0000-0000-000000000000', aggregateSeq: -1n };

const columns = sql`id, to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS created_at, shard,
  aggregate_type, aggregate_id, aggregate_seq, type, version, user_id, root_id, run_seq, data::text AS data, traceparent`;

/**
 * Planning over all partitions takes longer than finding a few rows: it is done once per connection. The plan is the
 * same whatever is asked for, by the index of unpublished rows.
 */
const planOnce = { planOnce: true } as const;

/** Reads unpublished rows of some shards without locks, in no order: all that there are, or `limit`. */
export function readSomeUnpublished(
  database: Database,
  shards: readonly number[],
  limit: number,
): Promise<OutboxRow[]> {
  return database.serviceStatement(
    sql<OutboxRow>`
      SELECT ${columns} FROM event_outbox
      WHERE source = ${database.service} AND shard = ANY (${shards}::smallint[]) AND published_at IS NULL
      LIMIT ${limit}`,
    planOnce,
  );
}

/**
 * Reads unpublished rows of some shards, each behind a place in it, without locks, in order per aggregate. Each shard
 * gives at most `perShard` rows and earlier shards in the list come first.
 */
export function readUnpublished(
  database: Database,
  shards: readonly { readonly shard: number; readonly after?: Place | undefined }[],
  limits: { readonly perShard: number; readonly total: number },
): Promise<OutboxRow[]> {
  const places = shards.map(({ after }) => after ?? start);
  return database.serviceStatement(
    sql<OutboxRow>`
      SELECT o.* FROM unnest(${shards.map(({ shard }) => shard)}::smallint[],
                  ${places.map(({ aggregateId }) => aggregateId)}::uuid[],
                  ${places.map(({ aggregateSeq }) => aggregateSeq)}::bigint[])
        WITH ORDINALITY AS s (in_shard, after_id, after_seq, place)
      CROSS JOIN LATERAL (
        SELECT ${columns} FROM event_outbox
        WHERE source = ${database.service} AND shard = s.in_shard AND published_at IS NULL
          AND (aggregate_id, aggregate_seq) > (s.after_id, s.after_seq)
        ORDER BY aggregate_id, aggregate_seq
        LIMIT ${limits.perShard}
      ) o
      LIMIT ${limits.total}`,
    planOnce,
  );
}

/**
 * Marks rows as published, each only while its shard is still held under the same fence. Losing marks in a
 * crash of Postgres is harmless (the rows go out again under the same ids), so the commit does not wait for the disk.
 */
export async function markPublished(
  database: Database,
  held: readonly HeldShard[],
  published: readonly PublishedRow[],
): Promise<void> {
  const fences = new Map(held.map(({ shard, fence }) => [shard, fence]));
  const times = published.map(({ row }) => row.created_at).sort();
  await database.serviceStatement(
    sql`
    UPDATE event_outbox o
    SET published_at = clock_timestamp(), stream_seq = m.stream_seq
    FROM unnest(${published.map(({ row }) => row.id)}::uuid[],
                ${published.map(({ row }) => row.created_at)}::timestamptz[],
                ${published.map(({ streamSeq }) => streamSeq)}::bigint[],
                ${published.map(({ row }) => row.shard)}::smallint[],
                ${published.map(({ row }) => fences.get(row.shard) ?? -1n)}::bigint[])
      AS m (id, created_at, stream_seq, shard, fence)
    WHERE o.id = m.id AND o.created_at = m.created_at
      AND o.created_at >= ${times[0]}::timestamptz AND o.created_at <= ${times.at(-1)}::timestamptz
      AND EXISTS (SELECT FROM outbox_shards s
                  WHERE s.source = ${database.service} AND s.shard = m.shard AND s.fence = m.fence)`,
    { mayBeLost: true, planOnce: true },
  );
}

export interface Backlog {
  /** Unpublished rows; counted up to 10,000. */
  readonly rows: number;
  /** Age of the oldest of them in seconds, 0 when there is none. */
  readonly oldestSeconds: number;
}

/** How much waits to be published. */
export async function readBacklog(database: Database): Promise<Backlog> {
  const [backlog] = await database.serviceStatement(sql<Backlog>`
    SELECT count(*)::int AS rows,
           coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8 AS "oldestSeconds"
    FROM (SELECT created_at FROM event_outbox
          WHERE source = ${database.service} AND published_at IS NULL LIMIT 10000) AS waiting`);
  return backlog ?? { rows: 0, oldestSeconds: 0 };
}

export interface MarkedRow {
  readonly id: string;
  readonly type: string;
  readonly user_id: string;
  readonly root_id: string;
  readonly stream_seq: bigint;
}

/** The published row with the highest stream sequence not above `atMost`, among those that the stream still keeps. */
export async function newestMarked(
  database: Database,
  shards: readonly number[],
  keptHours: number,
  atMost: bigint | null,
): Promise<MarkedRow | undefined> {
  const [row] = await database.serviceStatement(sql<MarkedRow>`
    SELECT id, type, user_id, root_id, stream_seq FROM event_outbox
    WHERE source = ${database.service} AND shard = ANY (${shards}::smallint[]) AND stream_seq IS NOT NULL
      AND created_at > now() - make_interval(hours => ${keptHours}::int)
      AND (${atMost}::bigint IS NULL OR stream_seq <= ${atMost}::bigint)
    ORDER BY stream_seq DESC LIMIT 1`);
  return row;
}

/** Makes rows above a stream sequence wait for publishing again; returns how many. */
export async function unmarkAbove(
  database: Database,
  shards: readonly number[],
  keptHours: number,
  streamSeq: bigint,
): Promise<number> {
  const [result] = await database.serviceStatement(sql<{ rows: number }>`
    WITH lost AS (
      UPDATE event_outbox SET published_at = NULL, stream_seq = NULL
      WHERE source = ${database.service} AND shard = ANY (${shards}::smallint[])
        AND created_at > now() - make_interval(hours => ${keptHours}::int) AND stream_seq > ${streamSeq}
      RETURNING 1)
    SELECT count(*)::int AS rows FROM lost`);
  return result?.rows ?? 0;
}
