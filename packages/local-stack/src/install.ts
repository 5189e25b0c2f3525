import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { findExecutable, findProgram, type ProgramName, requirements, searchPath } from './binaries.ts';

/** How the machine can install programs, as far as we use it. */
export type Installer = 'apt' | 'brew' | 'none';

/** What decides the way of installing. */
export interface Machine {
  readonly platform: NodeJS.Platform;
  readonly isRoot: boolean;
  /** The text of /etc/os-release, empty where there is none. */
  readonly osRelease: string;
  readonly has: (command: string) => boolean;
}

/** apt as root on Debian and its relatives, Homebrew on macOS, else none. */
export function installerOf(machine: Machine): Installer {
  if (machine.platform === 'darwin') return machine.has('brew') ? 'brew' : 'none';
  if (machine.platform !== 'linux') return 'none';
  const debian = /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(machine.osRelease);
  return debian && machine.isRoot && machine.has('apt-get') ? 'apt' : 'none';
}

/**
 * Makes sure that each of the servers can be run: the binary on PATH, else Docker, else installs the missing ones
 * with apt (as root) or Homebrew.
 * @param log receives one line per thing that takes time
 * @throws naming the ways to get them when there is none
 */
export async function ensurePrograms(
  names: readonly ProgramName[],
  log: (line: string) => void,
): Promise<void> {
  let missing = await missingOf(names);
  if (missing.length === 0) return;
  const installer = installerOf(await thisMachine());
  if (installer === 'apt') await installWithApt(missing, log);
  if (installer === 'brew') await installWithBrew(missing, log);
  missing = await missingOf(missing);
  if (missing.length > 0) throw new Error(missingProgramMessage(missing));
}

async function missingOf(names: readonly ProgramName[]): Promise<ProgramName[]> {
  const found = await Promise.all(names.map(async (name) => ({ name, program: await findProgram(name) })));
  return found.filter(({ program }) => program === undefined).map(({ name }) => name);
}

/** Names the ways to get servers that are neither on PATH nor runnable through Docker. */
export function missingProgramMessage(names: readonly ProgramName[]): string {
  const needed = names.map((name) => requirements[name]);
  const list = (pick: (requirement: (typeof needed)[number]) => string, separator = ' '): string =>
    needed.map(pick).join(separator);
  return [
    `${list(({ title, minimum }) => `${title} (${minimum.join('.')} or later)`, ' and ')} not found. One of these helps:`,
    `  - put ${list(({ commands }) => commands[0] ?? '', ' and ')} on PATH`,
    `  - on Debian or Ubuntu, as root: apt-get install -y ${list(({ debian }) => debian)}`,
    `  - on macOS: brew install ${list(({ brew }) => brew)}`,
    '  - start a Docker engine; the images are fetched by themselves',
    `  - set ${list(({ variable }) => variable, ' and ')} to servers of your own`,
  ].join('\n');
}

async function thisMachine(): Promise<Machine> {
  const folders = searchPath(process.env['PATH']);
  const commands = await Promise.all(
    ['apt-get', 'brew'].map(async (name) => ({ name, path: await findExecutable(name, folders) })),
  );
  return {
    platform: process.platform,
    isRoot: process.getuid?.() === 0,
    osRelease: existsSync('/etc/os-release') ? await readFile('/etc/os-release', 'utf8') : '',
    has: (command) => commands.some(({ name, path }) => name === command && path !== undefined),
  };
}

const policyFile = '/usr/sbin/policy-rc.d';

/**
 * Installs with apt. The packages would start their services on the default ports, now and at every boot: the
 * policy file forbids the first, disabling the units the second.
 */
async function installWithApt(names: readonly ProgramName[], log: (line: string) => void): Promise<void> {
  const packages = names.map((name) => requirements[name].debian);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const install = ['install', '-y', '--no-install-recommends', ...packages];
  const addsPolicy = !existsSync(policyFile);
  if (addsPolicy) await writeFile(policyFile, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    log(`apt-get install ${packages.join(' ')}`);
    if ((await execute('apt-get', install, env)) !== 0) {
      log('apt-get update');
      await execute('apt-get', ['update'], env);
      await execute('apt-get', install, env);
    }
  } finally {
    if (addsPolicy) await rm(policyFile, { force: true });
  }
  if (existsSync('/run/systemd/system')) await execute('systemctl', ['disable', '--now', ...packages], env);
}

async function installWithBrew(names: readonly ProgramName[], log: (line: string) => void): Promise<void> {
  const packages = names.map((name) => requirements[name].brew);
  log(`brew install ${packages.join(' ')}`);
  await execute('brew', ['install', ...packages], process.env);
}

/** Runs a command with its output on our standard error; resolves to the exit code. */
function execute(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, stdio: ['ignore', 2, 2] });
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}
