import { join } from 'node:path';
import { ensureDatabase } from './database-roles.ts';
import { ensurePrograms } from './install.ts';
import { type KeptAlive, keepAlive } from './keep-alive.ts';
import { logsDir } from './logs.ts';
import { type NatsPasswords, startRestrictedNats } from './nats-access.ts';
import { startPostgres } from './postgres.ts';
import { startRedis } from './redis.ts';
import type { Server } from './server.ts';

export interface ServersOptions {
  /** The checkout. */
  readonly root: string;
  readonly dataDir: string;
  /** DATABASE_URL, NATS_URL and REDIS_URL here win over servers of our own. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly durable: boolean;
  readonly natsPasswords: NatsPasswords;
  /** What services are told on top of the environment. */
  readonly overrides: Readonly<Record<string, string>>;
  readonly log: (line: string) => void;
  onSpawn(name: ServerName, pid: number): Promise<void>;
}

export type ServerName = 'postgres' | 'nats' | 'redis';

/** Postgres, NATS and Redis, each either given or our own and kept alive. */
export interface Servers {
  readonly postgresUrl: string;
  readonly natsUrl: string;
  readonly redisUrl: string;
  /** Those that are ours. */
  readonly own: Readonly<Partial<Record<ServerName, KeptAlive<Server>>>>;
  stop(): Promise<void>;
}

/**
 * Brings up the servers that are not given, all at once, each with its data below the data directory and its log
 * below `logs`.
 * @throws the first failure, after stopping what had started
 */
export async function openServers(options: ServersOptions): Promise<Servers> {
  const { environment, dataDir } = options;
  const own: Partial<Record<ServerName, KeptAlive<Server>>> = {};
  const stop = async (): Promise<void> => {
    await Promise.all([own.redis?.stop(), own.nats?.stop()]);
    await own.postgres?.stop();
  };
  const keep = async (
    name: ServerName,
    title: string,
    start: (port?: number) => Promise<Server>,
  ): Promise<string> => {
    let port: number | undefined;
    const kept = await keepAlive({
      name: title,
      // The same port again after a crash, so that every URL stays valid.
      start: async () => {
        const server = await start(port);
        port = server.port;
        return server;
      },
      log: options.log,
    });
    own[name] = kept;
    return kept.current().url;
  };
  const place = (name: ServerName, port?: number) => ({
    dataDir: join(dataDir, name),
    logFile: join(logsDir(dataDir), `${name}.log`),
    onSpawn: (pid: number) => options.onSpawn(name, pid),
    ...(port === undefined ? {} : { port }),
  });

  const nats = {
    ...{ root: options.root, passwords: options.natsPasswords },
    environment: { ...environment, ...options.overrides },
    setUpLogFile: join(logsDir(dataDir), 'set-up-streams.log'),
  };
  const startAll = [
    environment['DATABASE_URL'] ??
      keep('postgres', 'Postgres', (port) =>
        startPostgres({ ...place('postgres', port), durable: options.durable }),
      ).then((url) => ensureDatabase(url, 'swissbrain')),
    environment['NATS_URL'] ??
      keep('nats', 'NATS', (port) => startRestrictedNats({ ...place('nats', port), ...nats })),
    environment['REDIS_URL'] ?? keep('redis', 'Redis', (port) => startRedis(place('redis', port))),
  ] as const;
  const results = await Promise.allSettled(startAll);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) {
    await stop();
    throw failed.reason;
  }
  const [postgresUrl, natsUrl, redisUrl] = await Promise.all(startAll);
  return { postgresUrl, natsUrl, redisUrl, own, stop };
}

/** Installs what `openServers` will need and is not given. */
export async function ensureServerPrograms(
  environment: Readonly<Record<string, string | undefined>>,
  log: (line: string) => void,
): Promise<void> {
  const needed = [
    ...(environment['NATS_URL'] === undefined ? (['nats'] as const) : []),
    ...(environment['REDIS_URL'] === undefined ? (['redis'] as const) : []),
  ];
  await ensurePrograms(needed, log);
}
