import { toError } from './errors.ts';
import type { OutboxRow, PublishedRow } from './outbox-store.ts';

export interface Chains {
  /** Puts rows behind those of their aggregates. They must come in order per aggregate. */
  add(rows: readonly OutboxRow[]): void;
  /** Aggregates that have a publish under way or wait for one. */
  readonly size: number;
}

export interface ChainOptions {
  readonly publish: (row: OutboxRow) => Promise<PublishedRow>;
  readonly mayPublish: () => boolean;
  readonly onPublished: (published: PublishedRow) => void;
  /** A publish failed; nothing of its aggregate goes out any more. */
  readonly onFailure: (error: Error) => void;
  /** An aggregate has nothing more to publish. */
  readonly onEnd: () => void;
}

/** Aggregates published side by side. */
const parallelAggregates = 256;

/**
 * Publishes rows so that an aggregate has at most one unacknowledged: its order holds whatever fails. Different
 * aggregates go out side by side. After a failure the rows behind it are held, for as long as these chains live.
 */
export function createChains({ publish, mayPublish, onPublished, onFailure, onEnd }: ChainOptions): Chains {
  const chains = new Map<string, OutboxRow[]>();
  const waiting: string[] = [];
  const broken = new Set<string>();
  let running = 0;

  const publishChain = async (aggregateId: string, chain: readonly OutboxRow[]): Promise<void> => {
    try {
      // It grows while it is read.
      for (const row of chain) {
        if (!mayPublish()) break;
        onPublished(await publish(row));
      }
    } catch (thrown) {
      broken.add(aggregateId);
      onFailure(toError(thrown));
    }
    // In one breath with the last look at the chain: whoever adds from now on begins another.
    chains.delete(aggregateId);
    running -= 1;
    start();
    onEnd();
  };
  const start = (): void => {
    while (running < parallelAggregates) {
      const aggregateId = waiting.shift();
      const chain = aggregateId === undefined ? undefined : chains.get(aggregateId);
      if (aggregateId === undefined || chain === undefined) return;
      running += 1;
      void publishChain(aggregateId, chain);
    }
  };
  return {
    add(rows) {
      for (const row of rows) {
        if (broken.has(row.aggregate_id)) continue;
        const chain = chains.get(row.aggregate_id);
        if (chain) chain.push(row);
        else {
          chains.set(row.aggregate_id, [row]);
          waiting.push(row.aggregate_id);
        }
      }
      start();
    },
    get size() {
      return chains.size;
    },
  };
}
