import { join } from 'node:path';
import type { ServiceName } from '@swissbrain/shared-schema/ids';
import { type NatsUser, natsAuthorization } from '@swissbrain/shared-schema/nats-permissions';
import { startChild, tailOf } from './child.ts';
import { type NatsAccess, type NatsOptions, startNats } from './nats.ts';
import { type Server, serverEnvironment } from './server.ts';

/** Of each user of the stack's own NATS. */
export type NatsPasswords = Readonly<Record<NatsUser, string>>;

/** What a server with these users is started with. */
export function natsAccess(passwords: NatsPasswords): NatsAccess {
  return { configuration: natsAuthorization(passwords), user: 'admin', password: passwords.admin };
}

/** The variables with which a service connects as itself. */
export function natsVariables(service: ServiceName, passwords: NatsPasswords): Record<string, string> {
  return { NATS_USER: service, NATS_PASSWORD: passwords[service] };
}

/** The address for people: their user and its password are in it, as NATS clients take them. */
export function operatorUrl(url: string, passwords: NatsPasswords): string {
  const result = new URL(url);
  result.username = 'operator';
  result.password = passwords.operator;
  return result.href;
}

export interface RestrictedNatsOptions extends Omit<NatsOptions, 'authorization'> {
  /** The checkout. */
  readonly root: string;
  readonly passwords: NatsPasswords;
  /** NATS_STREAM_* are taken from it. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly setUpLogFile: string;
}

/**
 * Starts NATS with a user for each service. None of them may change the streams, so they are set up before the
 * server counts as started, also when it comes back with an emptied store.
 */
export async function startRestrictedNats(options: RestrictedNatsOptions): Promise<Server> {
  const { root, passwords, environment, setUpLogFile, ...natsOptions } = options;
  const server = await startNats({ ...natsOptions, authorization: natsAccess(passwords) });
  try {
    const settings = Object.entries(environment).filter(([name]) => name.startsWith('NATS_STREAM_'));
    await setUpStreams(root, setUpLogFile, {
      ...Object.fromEntries(settings.flatMap(([name, value]) => (value ? [[name, value]] : []))),
      NATS_URL: server.url,
      NATS_USER: 'admin',
      NATS_PASSWORD: passwords.admin,
    });
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server;
}

/** In a process of its own, as the migrations are: this package knows nothing of streams but the command. */
async function setUpStreams(root: string, logFile: string, env: Record<string, string>): Promise<void> {
  const child = await startChild({
    name: 'set-up of streams',
    command: process.execPath,
    args: [join(root, 'packages', 'service-kit', 'src', 'set-up-streams.ts')],
    cwd: root,
    env: { ...serverEnvironment(), ...env },
    logFile,
  });
  const { code } = await child.exited;
  if (code !== 0) throw new Error(`the streams could not be set up:\n${await tailOf(logFile)}`);
}
