import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The servers that are programs of their own; Postgres comes as an npm package. */
export type ProgramName = 'nats' | 'redis';

/** How a server is run on this machine. */
export type Program =
  | { readonly kind: 'binary'; readonly path: string }
  | { readonly kind: 'docker'; readonly docker: string; readonly image: string };

interface Requirement {
  readonly title: string;
  readonly commands: readonly string[];
  readonly minimum: readonly [number, number];
  readonly image: string;
  readonly debian: string;
  readonly brew: string;
  readonly variable: string;
}

/** What each server is called in the places where it can come from. */
export const requirements: Readonly<Record<ProgramName, Requirement>> = {
  nats: {
    title: 'NATS',
    commands: ['nats-server'],
    // The first release whose JetStream consumers have what the outbox relies on.
    minimum: [2, 9],
    image: 'nats:2.10-alpine',
    debian: 'nats-server',
    brew: 'nats-server',
    variable: 'NATS_URL',
  },
  redis: {
    title: 'Redis',
    commands: ['redis-server', 'valkey-server'],
    minimum: [6, 2],
    image: 'redis:7-alpine',
    debian: 'redis-server',
    brew: 'redis',
    variable: 'REDIS_URL',
  },
};

/** Where programs are looked for: PATH, and the folders of servers that a plain user's PATH leaves out. */
export function searchPath(path: string | undefined): readonly string[] {
  const extra = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/opt/homebrew/bin', '/usr/local/bin', '/usr/bin'];
  return [...new Set([...(path ?? '').split(delimiter), ...extra])].filter((folder) => folder !== '');
}

/** The first executable of this name in the folders, or undefined. */
export async function findExecutable(name: string, folders: readonly string[]): Promise<string | undefined> {
  for (const folder of folders) {
    const path = join(folder, name);
    if (await isExecutable(path)) return path;
  }
  return undefined;
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * The binary of a server if one of a sufficient version is on the path, else its image if a Docker engine runs,
 * else undefined.
 */
export async function findProgram(
  name: ProgramName,
  folders: readonly string[] = searchPath(process.env['PATH']),
): Promise<Program | undefined> {
  const { commands, minimum, image } = requirements[name];
  for (const command of commands) {
    const path = await findExecutable(command, folders);
    if (path !== undefined && atLeast(await versionOf(path), minimum)) return { kind: 'binary', path };
  }
  const docker = await findExecutable('docker', folders);
  if (docker !== undefined && (await engineRuns(docker))) return { kind: 'docker', docker, image };
  return undefined;
}

async function versionOf(path: string): Promise<string> {
  const { stdout } = await run(path, ['--version'], { timeout: 10_000 });
  return stdout;
}

/** Whether the first `N.N` in the text is at least the given version. */
export function atLeast(text: string, [major, minor]: readonly [number, number]): boolean {
  const found = /(\d+)\.(\d+)/.exec(text);
  if (found === null) return false;
  const [foundMajor, foundMinor] = [Number(found[1]), Number(found[2])];
  return foundMajor > major || (foundMajor === major && foundMinor >= minor);
}

async function engineRuns(docker: string): Promise<boolean> {
  try {
    const { stdout } = await run(docker, ['version', '--format', '{{.Server.Version}}'], { timeout: 10_000 });
    return stdout.trim() !== '';
  } catch {
    // Installed without a running engine, or without the right to use it: as good as absent.
    return false;
  }
}
