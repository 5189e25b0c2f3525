import type { PublishedRow } from './outbox-store.ts';

/** Collects rows that the stream has acknowledged and marks them, many in one statement. */
export interface Marker {
  add(published: PublishedRow): void;
  /** Marks what is there without waiting for more; resolves when it is done. */
  flush(): Promise<void>;
}

export interface MarkerOptions {
  readonly mark: (published: readonly PublishedRow[]) => Promise<void>;
  readonly onMarked: (published: readonly PublishedRow[]) => void;
  readonly onFailure: (thrown: unknown) => void;
}

/** A statement waits for so many rows, or for so long. */
const enough = { rows: 256, ms: 20 };

/** One statement at a time; a failed one is not repeated, its rows come with the next read. */
export function createMarker({ mark, onMarked, onFailure }: MarkerOptions): Marker {
  let acknowledged: PublishedRow[] = [];
  let running = false;
  let idle = Promise.withResolvers<void>();
  let hurry = Promise.withResolvers<void>();

  const run = async (): Promise<void> => {
    running = true;
    idle = Promise.withResolvers();
    while (acknowledged.length > 0) {
      if (acknowledged.length < enough.rows) {
        const timer = setTimeout(hurry.resolve, enough.ms);
        await hurry.promise;
        clearTimeout(timer);
      }
      hurry = Promise.withResolvers();
      const rows = acknowledged;
      acknowledged = [];
      try {
        await mark(rows);
        onMarked(rows);
      } catch (thrown) {
        onFailure(thrown);
      }
    }
    // In one breath with the last look: whoever adds from now on begins anew.
    running = false;
    idle.resolve();
  };
  return {
    add(published) {
      acknowledged.push(published);
      if (acknowledged.length === enough.rows) hurry.resolve();
      if (!running) void run();
    },
    async flush() {
      while (running) {
        hurry.resolve();
        await idle.promise;
      }
    },
  };
}
