import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { type Child, startChild, stopChild, untilReady } from './child.ts';
import { launchOf, type ProgramLaunch } from './launch.ts';
import { onPort, type Server, type StartOptions } from './server.ts';

export interface RedisOptions extends StartOptions {
  /** The append-only file lives here. Without it nothing is kept: the directory is a temporary one. */
  readonly dataDir?: string;
}

const readyWithinMs = 20_000;

/**
 * Starts redis-server (or Valkey) on 127.0.0.1: append-only file flushed every second, no eviction, as BullMQ needs.
 * @throws when there is no way to run it, or it does not answer
 */
export async function startRedis(options: RedisOptions = {}): Promise<Server> {
  const temporary =
    options.dataDir === undefined ? await mkdtemp(join(tmpdir(), 'swissbrain-redis-')) : undefined;
  const dataDir = options.dataDir ?? temporary ?? '';
  await mkdir(dataDir, { recursive: true });
  const logFile = options.logFile ?? join(dataDir, 'redis.log');
  return onPort(options.port, async (port) => {
    const name = `swissbrain-${randomUUID()}`;
    const launch = await launchOf('redis', { dataDir, port, name });
    const child = await startChild({ name: 'Redis', logFile, ...launch });
    const stop = async (): Promise<void> => {
      await stopRedis(child, launch);
      if (temporary !== undefined) await rm(temporary, { recursive: true, force: true });
    };
    const url = `redis://127.0.0.1:${port}`;
    try {
      await options.onSpawn?.(child.pid);
      await untilReady(child, () => answers(port, name), readyWithinMs);
    } catch (error) {
      await stopRedis(child, launch);
      throw error;
    }
    return { url, port, pid: child.pid, exited: child.exited, stop, kill: () => launch.kill(child) };
  });
}

async function stopRedis(child: Child, launch: ProgramLaunch): Promise<void> {
  await stopChild(child, [{ signal: 'SIGTERM', waitMs: 1_500 }]);
  await launch.release();
}

// By name: on a port that was taken it is another server that answers.
async function answers(port: number, name: string): Promise<boolean> {
  const client = new Redis({ host: '127.0.0.1', port, lazyConnect: true, retryStrategy: () => null });
  // The calls report the failure; the event must not be unhandled.
  client.on('error', () => undefined);
  try {
    await client.connect();
    const [, title] = (await client.config('GET', 'proc-title-template')) as string[];
    return title?.includes(name) === true && (await client.ping()) === 'PONG';
  } finally {
    client.disconnect();
  }
}
