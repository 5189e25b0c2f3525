import type { Child } from './child.ts';
import { ChildExitedError } from './child.ts';
import { freePort } from './ports.ts';

/** A started server of the local stack: Postgres, NATS or Redis. */
export interface Server {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Resolves when the process has ended, for whatever reason. */
  readonly exited: Promise<unknown>;
  /** Orderly stop; safe to call twice and after the process has died. */
  stop(): Promise<void>;
  /** kill -9, for tests of what a crash leaves behind. */
  kill(): Promise<void>;
}

/** What all servers can be told. */
export interface StartOptions {
  /** A free one when absent. */
  readonly port?: number;
  readonly logFile?: string;
  /** Called as soon as the process exists, long before it is ready: whoever is to stop it must know it by then. */
  onSpawn?(pid: number): Promise<void>;
}

const attempts = 5;

/**
 * Runs `start` on the given port, or on free ones until one holds: between choosing a port and listening on it
 * another process may take it.
 */
export async function onPort<T>(port: number | undefined, start: (port: number) => Promise<T>): Promise<T> {
  if (port !== undefined) return start(port);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start(await freePort());
    } catch (error) {
      const taken = error instanceof ChildExitedError && /address already in use/i.test(error.logTail);
      if (!taken || attempt === attempts) throw error;
    }
  }
}

/** Ends a child with kill -9 and waits until it is gone. */
export async function killChild(child: Child): Promise<void> {
  child.signal('SIGKILL', 'group');
  await child.exited;
}

/** What a server sees of our environment: enough to find libraries, and the directory it was started for. */
export function serverEnvironment(): Record<string, string> {
  const temporary = process.env['TMPDIR'];
  return {
    PATH: process.env['PATH'] ?? '',
    HOME: process.env['HOME'] ?? '/',
    LC_ALL: 'C',
    ...(temporary === undefined ? {} : { TMPDIR: temporary }),
  };
}
