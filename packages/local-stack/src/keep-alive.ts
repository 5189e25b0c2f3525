import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';

/** Something that runs until it ends by itself or is stopped. */
export interface Mortal {
  readonly pid: number;
  readonly exited: Promise<unknown>;
  stop(): Promise<void>;
}

export interface KeepAliveOptions<T extends Mortal> {
  readonly name: string;
  start(): Promise<T>;
  readonly log: (line: string) => void;
  /** Waits before the second, third, … start in a row. */
  readonly backoffMs?: { readonly first: number; readonly longest: number };
}

/** A `Mortal` that is started again whenever it ends. */
export interface KeptAlive<T extends Mortal> {
  current(): T;
  stop(): Promise<void>;
}

const defaultBackoff = { first: 200, longest: 10_000 };
// What lived this long has recovered: the next end is a new incident and is answered quickly.
const healthyAfterMs = 30_000;

/**
 * Starts something, and again with growing pauses each time it ends, until `stop`.
 * @throws what the first start throws; later failures are logged and tried again
 */
export async function keepAlive<T extends Mortal>(options: KeepAliveOptions<T>): Promise<KeptAlive<T>> {
  const stopping = new AbortController();
  let current = await options.start();

  const watch = async (): Promise<void> => {
    const pause = backoff(options.backoffMs ?? defaultBackoff);
    while (!stopping.signal.aborted) {
      const since = performance.now();
      await current.exited;
      if (stopping.signal.aborted) return;
      if (performance.now() - since > healthyAfterMs) pause.reset();
      options.log(`${options.name} has ended, starting it again`);
      const next = await restart(options, pause, stopping.signal);
      if (next === undefined) return;
      current = next;
    }
  };
  const watching = watch();

  return {
    current: () => current,
    stop: async () => {
      stopping.abort();
      await current.stop();
      await watching;
      // A start that was under way when the stop came in.
      await current.stop();
    },
  };
}

async function restart<T extends Mortal>(
  options: KeepAliveOptions<T>,
  pause: ReturnType<typeof backoff>,
  stopping: AbortSignal,
): Promise<T | undefined> {
  while (!stopping.aborted) {
    await delay(pause.next(), undefined, { signal: stopping }).catch(() => undefined);
    if (stopping.aborted) return undefined;
    try {
      return await options.start();
    } catch (error) {
      options.log(`${options.name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return undefined;
}

function backoff({ first, longest }: { first: number; longest: number }): { next(): number; reset(): void } {
  let wait = first;
  return {
    next: () => {
      const now = wait;
      wait = Math.min(wait * 2, longest);
      return now;
    },
    reset: () => {
      wait = first;
    },
  };
}
