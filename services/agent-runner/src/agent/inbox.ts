/** A line of results with one taker. A failure comes before everything that waits and stays. */
export interface Inbox<T> {
  put(item: T): void;
  fail(error: unknown): void;
  /** The next result. @throws what `fail` was given */
  take(): Promise<T>;
}

/** Makes an empty inbox. */
export function createInbox<T>(): Inbox<T> {
  const items: T[] = [];
  let failure: { readonly error: unknown } | undefined;
  let taker: { resolve(item: T): void; reject(error: unknown): void } | undefined;
  return {
    put(item) {
      if (!taker) {
        items.push(item);
        return;
      }
      const { resolve } = taker;
      taker = undefined;
      resolve(item);
    },
    fail(error) {
      failure ??= { error };
      taker?.reject(error);
      taker = undefined;
    },
    take() {
      if (failure) return Promise.reject(failure.error);
      const item = items.shift();
      if (item !== undefined) return Promise.resolve(item);
      return new Promise((resolve, reject) => {
        taker = { resolve, reject };
      });
    },
  };
}
