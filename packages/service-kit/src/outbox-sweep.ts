import type { Database } from './database.ts';
import {
  type HeldShard,
  type OutboxRow,
  type Place,
  readSomeUnpublished,
  readUnpublished,
} from './outbox-store.ts';

export interface Page {
  readonly rows: readonly OutboxRow[];
  /** All rows that there are have been seen once; the next page begins anew. */
  readonly over: boolean;
}

/** Goes through the unpublished rows of some shards, page by page, over and over. */
export interface Sweep {
  next(): Promise<Page>;
  /** Runs `action` once no read that is under way now can still show rows as they were. */
  afterRead(action: () => void): void;
}

/** Fewer than this are read in one go, whatever their shards. */
const few = 128;
const pages = { perShard: 128, total: 512 };

/**
 * A sweep remembers per shard where the last page ended, so that it reads on behind rows that are on their way. Rows
 * that come meanwhile are seen by the next one. Within a sweep, rows of an aggregate come in order.
 */
export function createSweep(database: Database, shards: readonly HeldShard[]): Sweep {
  const ends = new Map<number, Place>();
  let order = shards.map(({ shard }) => shard);
  let reading = false;
  let later: (() => void)[] = [];

  const readPage = async (): Promise<Page> => {
    const places = order.map((shard) => ({ shard, after: ends.get(shard) }));
    const rows = await readUnpublished(database, places, pages);
    const counts = new Map<number, number>();
    for (const { shard, aggregate_id, aggregate_seq } of rows) {
      ends.set(shard, { aggregateId: aggregate_id, aggregateSeq: aggregate_seq });
      counts.set(shard, (counts.get(shard) ?? 0) + 1);
    }
    const over = rows.length < pages.total && [...counts.values()].every((count) => count < pages.perShard);
    if (over) ends.clear();
    // Each page begins with another shard: the limit of all is fair to all.
    else order = [...order.slice(counts.size), ...order.slice(0, counts.size)];
    return { rows, over };
  };
  const read = async (): Promise<Page> => {
    if (ends.size > 0) return readPage();
    const rows = await readSomeUnpublished(database, order, few);
    return rows.length < few ? { rows: rows.toSorted(byPlace), over: true } : readPage();
  };
  return {
    async next() {
      reading = true;
      try {
        return await read();
      } finally {
        reading = false;
        const actions = later;
        later = [];
        for (const action of actions) action();
      }
    },
    afterRead(action) {
      if (reading) later.push(action);
      else action();
    },
  };
}

/** Rows of an aggregate in their order; which aggregate comes first does not matter. */
function byPlace(a: OutboxRow, b: OutboxRow): number {
  return a.aggregate_seq < b.aggregate_seq ? -1 : 1;
}
