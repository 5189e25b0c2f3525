import type { Awaited } from '../store/questions.ts';

/** What the steps of one claimed run wait for, and whether anything else is being done. */
export interface Waits {
  /** Steps that wait. */
  readonly size: number;
  /** Work that is not waiting begins: until it leaves, the run keeps its worker. */
  enter(): void;
  leave(): void;
  /**
   * Resolves when `look` finds what is awaited. Called within entered work, which counts as left meanwhile. When all
   * that is under way waits, the run is left to wait without a worker; then this rejects with the reason of the signal.
   */
  until<T>(awaited: Awaited, look: () => Promise<T | undefined>): Promise<T>;
}

export interface WaitsOptions {
  readonly signal: AbortSignal;
  /** Leaves the run to wait for these. False when one of them has come already. */
  readonly rest: (awaited: readonly Awaited[]) => Promise<boolean>;
  /** Calls back when the run's row was looked at; returns how to end that. */
  readonly onLook: (listener: () => void) => () => void;
  /** The run was left: ends all that waits in this process. */
  readonly onRest: () => void;
  readonly onFailure: (error: unknown) => void;
}

interface Waiter {
  readonly awaited: Awaited;
  /** Looks again; ends the wait when it finds what is awaited. */
  recheck(): Promise<void>;
}

/** Counts what is under way in a run, and leaves it when there is nothing but waiting. */
export function createWaits(options: WaitsOptions): Waits {
  const { signal, rest, onLook, onRest, onFailure } = options;
  const waiters = new Set<Waiter>();
  let active = 0;
  let leaving = false;

  const leaveRun = async () => {
    leaving = true;
    try {
      // Leaving takes a while, in which what is awaited may come and work begin again.
      while (active === 0 && waiters.size > 0 && !signal.aborted) {
        if (await rest([...waiters].map(({ awaited }) => awaited))) return onRest();
        await Promise.all([...waiters].map((waiter) => waiter.recheck()));
      }
    } catch (error) {
      onFailure(error);
    } finally {
      leaving = false;
    }
  };
  const settle = () => {
    if (active === 0 && waiters.size > 0 && !leaving) void leaveRun();
  };
  const begin = (waiter: Waiter) => {
    waiters.add(waiter);
    active -= 1;
  };
  /** True for the one that ends it. */
  const end = (waiter: Waiter) => {
    const ended = waiters.delete(waiter);
    if (ended) active += 1;
    return ended;
  };

  return {
    get size() {
      return waiters.size;
    },
    enter() {
      active += 1;
    },
    leave() {
      active -= 1;
      settle();
    },
    async until<T>(awaited: Awaited, look: () => Promise<T | undefined>) {
      const already = await look();
      signal.throwIfAborted();
      if (already !== undefined) return already;
      const { promise, resolve, reject } = Promise.withResolvers<T>();
      const waiter: Waiter = {
        awaited,
        async recheck() {
          const found = await look();
          if (found !== undefined && end(waiter)) resolve(found);
        },
      };
      const fail = (error: unknown) => {
        end(waiter);
        reject(error);
      };
      const abort = () => fail(signal.reason);
      const endLook = onLook(() => void waiter.recheck().catch(fail));
      signal.addEventListener('abort', abort, { once: true });
      begin(waiter);
      settle();
      try {
        return await promise;
      } finally {
        signal.removeEventListener('abort', abort);
        endLook();
      }
    },
  };
}
