import { join } from 'node:path';
import { type ServiceName, serviceNames } from '@swissbrain/shared-schema/ids';
import { startChild, tailOf } from './child.ts';
import { accessGiven, accessToOwn, type DatabaseAccess, passwordVariables } from './database-roles.ts';
import { cleanUpAfterKilled, stopSandboxes } from './leftovers.ts';
import { logsDir, rotateLogs } from './logs.ts';
import { operatorUrl } from './nats-access.ts';
import { identify } from './process-group.ts';
import { claimDataDir, forgetProcess, recordProcess, releaseDataDir } from './process-records.ts';
import { loadSecrets, type Secrets } from './secrets.ts';
import { serverEnvironment } from './server.ts';
import { ensureServerPrograms, openServers, type Servers } from './servers.ts';
import { serviceEnvironment } from './service-environment.ts';
import { type ServiceProcess, startServiceProcess } from './service-process.ts';
import {
  defaultDataDir,
  readStackState,
  removeStackState,
  type StackState,
  writeStackState,
} from './state.ts';

export interface StackOptions {
  /** The checkout. */
  readonly root: string;
  /** Everything the stack keeps; one stack at a time. Default `.swissbrain` of the checkout. */
  readonly dataDir?: string;
  /** Receives one line per thing that happens. */
  readonly log: (line: string) => void;
  /** Default: that of this process. DATABASE_URL, NATS_URL, REDIS_URL, AUTH_JWT_SECRET win over what we would make. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Variables for all services on top of the usual ones, for tests. */
  readonly overrides?: Readonly<Record<string, string>>;
  /** Off for throw-away stacks: Postgres flushes nothing. Default on. */
  readonly durable?: boolean;
  /** Stops a start that is under way. */
  readonly signal?: AbortSignal;
}

/** A running stack. */
export interface Stack {
  /** As of now: process ids change when a service is started again. */
  state(): StackState;
  /** Services, then sandboxes, then servers; within 10 s, and nothing is left running. */
  stop(): Promise<void>;
}

/** Another supervisor has the data directory. */
export class StackRunningError extends Error {
  readonly state: StackState | undefined;
  constructor(pid: number, dataDir: string, state: StackState | undefined) {
    const where = Object.entries(state?.services ?? {}).map(
      ([name, { url }]) => `\n  ${name.padEnd(14)} ${url}`,
    );
    super(`a stack with this data already runs (process ${pid}, data in ${dataDir})${where.join('')}`);
    this.name = 'StackRunningError';
    this.state = state;
  }
}

/**
 * Brings up Postgres, NATS and Redis (unless given by URL), migrates, and starts the six services, each a process
 * that is started again when it dies. Resolves when all are ready.
 * @throws StackRunningError when the data directory is taken; otherwise the first failure, with everything
 *   stopped again
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const dataDir = options.dataDir ?? defaultDataDir(options.root);
  const holder = await claimDataDir(dataDir);
  if (holder !== undefined) {
    throw new StackRunningError(holder.pid, dataDir, await readStackState(options.root, dataDir));
  }
  const running: Running = { services: [] };
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopped ??= stopAll(running, dataDir);
    return stopped;
  };
  try {
    return { ...(await bringUp(options, dataDir, running)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Running {
  servers?: Servers;
  readonly services: ServiceProcess[];
}

async function bringUp(
  options: StackOptions,
  dataDir: string,
  running: Running,
): Promise<Pick<Stack, 'state'>> {
  const { root, log, signal } = options;
  const environment = withoutEmpty(options.environment ?? process.env);
  await cleanUpAfterKilled(dataDir, log);
  await rotateLogs(dataDir);
  const secrets = await loadSecrets(dataDir);
  await ensureServerPrograms(environment, log);
  signal?.throwIfAborted();

  const board = await openBoard(dataDir, environment['AUTH_JWT_SECRET'] ?? secrets.jwt);
  const servers = await openServers({
    ...{ root, dataDir, natsPasswords: secrets.nats },
    environment,
    overrides: options.overrides ?? {},
    durable: options.durable ?? true,
    log,
    onSpawn: (name, pid) => board.server(name, pid),
  });
  running.servers = servers;
  log(`${describeServers(servers)} ready`);
  signal?.throwIfAborted();

  // A Postgres that was given keeps the passwords it has.
  const passwords = servers.own.postgres === undefined ? {} : passwordVariables(secrets.database);
  await migrate(root, dataDir, servers.postgresUrl, passwords);
  log('database migrated');
  signal?.throwIfAborted();
  const access = await databaseAccess(servers, environment, secrets);
  const startOne = (service: ServiceName): Promise<ServiceProcess> =>
    startServiceProcess({
      root,
      dataDir,
      service,
      environment: (port) => ({
        ...serviceEnvironment(service, port, {
          ...{ dataDir, access, secrets, environment },
          natsUrl: servers.natsUrl,
          natsRestricted: servers.own.nats !== undefined,
          redisUrl: servers.redisUrl,
          jwtSecret: board.current.jwt_secret,
        }),
        ...options.overrides,
      }),
      log,
      ...(signal === undefined ? {} : { signal }),
      onSpawn: (pid, url) => board.service(service, pid, url),
    });
  await startAllServices(startOne, running, log);
  signal?.throwIfAborted();
  await board.publish(servers, secrets);
  return { state: () => board.current };
}

/** An empty variable counts as absent, as it does for the services. */
function withoutEmpty(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) => (value ? [[name, value]] : [])),
  );
}

async function startAllServices(
  startOne: (service: ServiceName) => Promise<ServiceProcess>,
  running: Running,
  log: (line: string) => void,
): Promise<void> {
  const results = await Promise.allSettled(
    serviceNames.map(async (name) => {
      running.services.push(await startOne(name));
      log(`${name} ready`);
    }),
  );
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

function describeServers({ own }: Servers): string {
  const titles = { postgres: 'Postgres', nats: 'NATS', redis: 'Redis' } as const;
  const names = (['postgres', 'nats', 'redis'] as const).map((name) =>
    own[name] === undefined ? `${titles[name]} (given)` : titles[name],
  );
  return names.join(', ');
}

async function databaseAccess(
  servers: Servers,
  environment: Readonly<Record<string, string | undefined>>,
  secrets: Secrets,
): Promise<DatabaseAccess> {
  return servers.own.postgres === undefined
    ? accessGiven(servers.postgresUrl, environment)
    : accessToOwn(servers.postgresUrl, secrets.database);
}

/** In a process of its own: this package knows nothing of the migrations but the command that applies them. */
async function migrate(
  root: string,
  dataDir: string,
  url: string,
  passwords: Readonly<Record<string, string>>,
): Promise<void> {
  const logFile = join(logsDir(dataDir), 'migrate.log');
  const child = await startChild({
    name: 'migrations',
    command: process.execPath,
    args: [join(root, 'db', 'migrate.ts')],
    cwd: root,
    env: { ...serverEnvironment(), ...passwords, DATABASE_URL: url },
    logFile,
  });
  const { code } = await child.exited;
  if (code !== 0) throw new Error(`the migrations failed:\n${await tailOf(logFile)}`);
}

/** The state file, kept true while processes come and go. */
async function openBoard(dataDir: string, jwtSecret: string) {
  const supervisor = await identify(process.pid);
  if (supervisor === undefined) throw new Error('cannot read the start time of this process');
  let published = false;
  const current: StackState = {
    supervisor,
    data_dir: dataDir,
    postgres_url: '',
    nats_url: '',
    redis_url: '',
    jwt_secret: jwtSecret,
    servers: {},
    services: {} as StackState['services'],
  };
  const changed = async (name: string, pid: number): Promise<void> => {
    await recordProcess(dataDir, name, pid);
    if (published) await writeStackState(current);
  };
  return {
    current,
    server: async (name: 'postgres' | 'nats' | 'redis', pid: number) => {
      current.servers[name] = { pid };
      await changed(name, pid);
    },
    service: async (name: ServiceName, pid: number, url: string) => {
      current.services[name] = { pid, url };
      await changed(name, pid);
    },
    publish: async ({ postgresUrl, natsUrl, redisUrl, own }: Servers, { nats }: Secrets) => {
      const tapUrl = own.nats === undefined ? natsUrl : operatorUrl(natsUrl, nats);
      Object.assign(current, { postgres_url: postgresUrl, nats_url: tapUrl, redis_url: redisUrl });
      published = true;
      await writeStackState(current);
    },
  };
}

async function stopAll(running: Running, dataDir: string): Promise<void> {
  await Promise.all(running.services.map(({ kept }) => kept.stop()));
  await stopSandboxes(dataDir);
  await running.servers?.stop();
  const names = [...serviceNames, 'postgres', 'nats', 'redis'];
  await Promise.all(names.map((name) => forgetProcess(dataDir, name)));
  await removeStackState(dataDir);
  await releaseDataDir(dataDir);
}
