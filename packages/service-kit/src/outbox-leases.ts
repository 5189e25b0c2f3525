import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { Clock } from './clock.ts';
import type { Database } from './database.ts';
import type { HeldShard } from './outbox-store.ts';

/** The outbox of a service is split in so many shards by aggregate. */
export const shardCount = 16;

/** This process's share of the shards of its service's outbox. */
export interface ShardLeases {
  /** Takes what is free or has run out and renews what is held. */
  renew(): Promise<void>;
  /**
   * The shards that may be published now; empty when renewal has been failing. The same array for as long as they
   * and their fences stay the same.
   */
  held(): readonly HeldShard[];
  /** Gives everything back, so that another process need not wait. */
  release(): Promise<void>;
}

export interface LeaseTimes {
  /** How long a lease runs, by the database's clock. */
  readonly leaseMs: number;
  /** How much earlier its owner stops to trust it. */
  readonly marginMs: number;
}
const none: readonly HeldShard[] = [];
export const defaultLeaseTimes: LeaseTimes = { leaseMs: 5_000, marginMs: 1_000 };

/**
 * Leases in `outbox_shards`. Every process takes all that is free: one relay keeps up with thousands of events
 * a second, and a second one waits to take over. The fence rises with every change of owner, never by renewal.
 */
export function createShardLeases(
  database: Database,
  clock: Clock,
  times: LeaseTimes = defaultLeaseTimes,
): ShardLeases {
  const owner = randomUUID();
  let shards: readonly HeldShard[] = [];
  let trustedUntil = 0;
  let released = false;
  return {
    async renew() {
      const asked = clock.monotonicMs();
      const rows = await database.serviceStatement(sql<HeldShard>`
        UPDATE outbox_shards
        SET owner = ${owner},
            fence = fence + CASE WHEN owner = ${owner} THEN 0 ELSE 1 END,
            lease_until = clock_timestamp() + make_interval(secs => ${times.leaseMs / 1_000})
        WHERE source = ${database.service} AND shard IN (
          SELECT shard FROM outbox_shards
          WHERE source = ${database.service}
            AND (owner = ${owner} OR owner IS NULL OR lease_until <= clock_timestamp())
          ORDER BY shard FOR UPDATE)
        RETURNING shard, fence`);
      if (released) return;
      const renewed = rows.toSorted((a, b) => a.shard - b.shard);
      if (!areSame(shards, renewed)) shards = renewed;
      trustedUntil = asked + times.leaseMs - times.marginMs;
    },
    held: () => (clock.monotonicMs() < trustedUntil ? shards : none),
    async release() {
      released = true;
      shards = [];
      await database.serviceStatement(sql`
        UPDATE outbox_shards SET owner = NULL, lease_until = NULL
        WHERE source = ${database.service} AND owner = ${owner}`);
    },
  };
}

function areSame(some: readonly HeldShard[], others: readonly HeldShard[]): boolean {
  return (
    some.length === others.length &&
    some.every(({ shard, fence }, index) => others[index]?.shard === shard && others[index]?.fence === fence)
  );
}
