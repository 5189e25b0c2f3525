/**
 * The rest of a consumer between two batches that are not full: events that come one by one share transactions then.
 * Whoever comes to wait for what is being gathered ends it.
 */
export interface Gather {
  readonly ms: number;
  /** The consumer takes what is there without a rest, once. It may be in the middle of a batch: then after that one. */
  end(): void;
  /** Calls `listener` at each end; returns the undo. */
  onEnd(listener: () => void): () => void;
}

/** @param ms the rest when nobody ends it, in milliseconds */
export function createGather(ms: number): Gather {
  const listeners = new Set<() => void>();
  return {
    ms,
    end() {
      for (const listener of listeners) listener();
    },
    onEnd(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
