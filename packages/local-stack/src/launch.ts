import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { findProgram, type Program, type ProgramName } from './binaries.ts';
import type { Child } from './child.ts';
import { missingProgramMessage } from './install.ts';
import { killChild, serverEnvironment } from './server.ts';

const run = promisify(execFile);

/** A command line for one server, and what is needed beyond signals to end it. */
export interface ProgramLaunch {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** kill -9 of the server itself, wherever it runs. */
  kill(child: Child): Promise<void>;
  /** Removes what the command leaves behind when it is killed; nothing for a binary. */
  release(): Promise<void>;
}

interface Place {
  readonly dataDir: string;
  readonly port: number;
  /** What the server calls itself. */
  readonly name: string;
  /** A configuration file in the data directory. */
  readonly configFile?: string | undefined;
}

/**
 * The command line that runs a server on this machine.
 * @throws naming the ways to get it when there is none
 */
export async function launchOf(name: ProgramName, place: Place): Promise<ProgramLaunch> {
  const program = await findProgram(name);
  if (program === undefined) throw new Error(missingProgramMessage([name]));
  return program.kind === 'binary'
    ? binaryLaunch(program.path, argumentsOf[name]({ ...place, host: '127.0.0.1' }))
    : dockerLaunch(program, name, place);
}

const argumentsOf: Record<ProgramName, (place: Place & { host: string }) => string[]> = {
  nats: ({ host, port, dataDir, name, configFile }) => [
    '--name',
    name,
    '-a',
    host,
    '-p',
    String(port),
    '-js',
    '-sd',
    join(dataDir, 'jetstream'),
    ...(configFile === undefined ? [] : ['-c', join(dataDir, configFile)]),
  ],
  redis: ({ host, port, dataDir, name }) => [
    ...['--bind', host, '--port', String(port), '--dir', dataDir, '--daemonize', 'no', '--logfile', ''],
    ...[
      '--proc-title-template',
      `{title} {listen-addr} ${name}`,
      '--appendonly',
      'yes',
      '--appendfsync',
      'everysec',
      '--save',
      '',
      '--maxmemory-policy',
      'noeviction',
    ],
  ],
};

function binaryLaunch(command: string, args: string[]): ProgramLaunch {
  return { command, args, env: serverEnvironment(), kill: killChild, release: async () => undefined };
}

/** The name of the container of a server; the port makes it unique on the machine. */
function containerName(name: ProgramName, port: number): string {
  return `swissbrain-${name}-${port}`;
}

function dockerLaunch(program: Program & { kind: 'docker' }, name: ProgramName, place: Place): ProgramLaunch {
  const container = containerName(name, place.port);
  const user =
    process.getuid === undefined ? [] : ['--user', `${process.getuid()}:${process.getgid?.() ?? 0}`];
  // redis: its entry point would change to another user; nats: the binary is the entry point.
  const command = name === 'redis' ? ['redis-server'] : [];
  const args = argumentsOf[name]({ ...place, host: '0.0.0.0', dataDir: '/data' });
  const protectedMode = name === 'redis' ? ['--protected-mode', 'no'] : [];
  const remove = async (): Promise<void> => {
    // The container may be gone already: `rm --force` succeeds then as well.
    await run(program.docker, ['rm', '--force', '--volumes', container], { timeout: 10_000 });
  };
  return {
    command: program.docker,
    args: [
      ...['run', '--rm', '--name', container, '--label', `${label}=${dirname(place.dataDir)}`, ...user],
      // Reachable from this machine alone.
      ...['--publish', `127.0.0.1:${place.port}:${place.port}`, '--volume', `${place.dataDir}:/data`],
      ...[program.image, ...command, ...args, ...protectedMode],
    ],
    env: { ...serverEnvironment(), ...dockerVariables() },
    kill: async (child) => {
      await run(program.docker, ['kill', '--signal', 'KILL', container]);
      await killChild(child);
      await remove();
    },
    release: remove,
  };
}

const label = 'swissbrain.data';

/** Removes the containers that servers of this data directory run in; nothing where no Docker engine is used. */
export async function removeContainers(dataDir: string): Promise<void> {
  for (const name of ['nats', 'redis'] as const) {
    const program = await findProgram(name);
    if (program?.kind !== 'docker') continue;
    const filter = ['--filter', `label=${label}=${dataDir}`];
    const { stdout } = await run(program.docker, ['ps', '--all', '--quiet', ...filter], { timeout: 10_000 });
    const containers = stdout.split('\n').filter((id) => id !== '');
    if (containers.length > 0) await run(program.docker, ['rm', '--force', '--volumes', ...containers]);
  }
}

function dockerVariables(): Record<string, string> {
  const names = ['DOCKER_HOST', 'DOCKER_CONTEXT', 'DOCKER_CONFIG', 'DOCKER_TLS_VERIFY', 'DOCKER_CERT_PATH'];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
