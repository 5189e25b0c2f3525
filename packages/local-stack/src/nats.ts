import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { type Child, startChild, stopChild, untilReady } from './child.ts';
import { launchOf, type ProgramLaunch } from './launch.ts';
import { onPort, type Server, type StartOptions } from './server.ts';
import { writePrivate } from './state.ts';

export interface NatsOptions extends StartOptions {
  /** JetStream keeps its streams here; created when absent. */
  readonly dataDir: string;
  /** Who may do what; without it everyone may do everything. */
  readonly authorization?: NatsAccess;
}

/** The users of the server. */
export interface NatsAccess {
  /** Goes into the configuration file as it is. */
  readonly configuration: Readonly<Record<string, unknown>>;
  /** A user who may connect, to see that the server answers. */
  readonly user: string;
  readonly password: string;
}

const readyWithinMs = 20_000;

/**
 * Starts nats-server with JetStream on 127.0.0.1, from the binary or the container image that `ensurePrograms` found.
 * @throws when there is no way to run it, or it does not answer
 */
export async function startNats(options: NatsOptions): Promise<Server> {
  await mkdir(options.dataDir, { recursive: true });
  const logFile = options.logFile ?? join(options.dataDir, 'nats.log');
  return onPort(options.port, async (port) => {
    const name = `swissbrain-${randomUUID()}`;
    const configFile = await writeConfiguration(options);
    const launch = await launchOf('nats', { dataDir: options.dataDir, port, name, configFile });
    const child = await startChild({ name: 'NATS', logFile, ...launch });
    const url = `nats://127.0.0.1:${port}`;
    try {
      await options.onSpawn?.(child.pid);
      await untilReady(child, () => answers(url, name, options.authorization), readyWithinMs);
    } catch (error) {
      await stop(child, launch);
      throw error;
    }
    return {
      url,
      port,
      pid: child.pid,
      exited: child.exited,
      stop: () => stop(child, launch),
      kill: () => launch.kill(child),
    };
  });
}

const configurationName = 'nats.conf';

/** The file holds passwords: it is for its owner alone, and gone when it is not wanted any more. */
async function writeConfiguration({ dataDir, authorization }: NatsOptions): Promise<string | undefined> {
  const path = join(dataDir, configurationName);
  if (authorization === undefined) {
    await rm(path, { force: true });
    return undefined;
  }
  await writePrivate(path, JSON.stringify(authorization.configuration, null, 2));
  return configurationName;
}

async function stop(child: Child, launch: ProgramLaunch): Promise<void> {
  await stopChild(child, [{ signal: 'SIGTERM', waitMs: 1_000 }]);
  await launch.release();
}

// By name: on a port that was taken it is another server that answers.
async function answers(url: string, name: string, access: NatsAccess | undefined): Promise<boolean> {
  const connection = await connect({
    ...(access === undefined ? {} : { user: access.user, pass: access.password }),
    servers: url,
    reconnect: false,
    timeout: 2_000,
  });
  try {
    return connection.info?.server_name === name && connection.info.jetstream === true;
  } finally {
    await connection.close();
  }
}
