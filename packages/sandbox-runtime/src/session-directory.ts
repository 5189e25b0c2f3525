import { existsSync, linkSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, rmdir } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from './clock.ts';
import { joinName } from './confined-directory.ts';
import { errnoOf } from './faults.ts';
import { killUntilGone, processesWithVariable, processIdentity, signalProcess } from './processes.ts';
import { endpointVariable, markerVariable } from './protocol.ts';
import { removeTrees } from './remove-trees.ts';

const removeRounds = 20;

/** What a runtime on this machine says of itself in `session.json`. Nothing in it is secret. */
export interface SessionEndpoint {
  readonly pid: number;
  /** Tells the process from a later one with the same pid. */
  readonly identity: string;
  readonly port: number;
  /** Begins the mark of every process of the session. */
  readonly instance: string;
}

/** The parts of a session's folder. */
export function sessionPaths(directory: string) {
  return {
    endpoint: join(directory, 'session.json'),
    workspace: join(directory, 'workspace'),
    scratch: join(directory, 'scratch'),
    state: join(directory, 'state'),
    log: join(directory, 'runtime.log'),
  } as const;
}

/**
 * Announces a runtime, whole or not at all.
 * @returns false when another one has done so before: a session has one runtime, ever
 */
export function announceEndpoint(file: string, endpoint: SessionEndpoint): boolean {
  const draft = `${file}.${endpoint.instance}`;
  writeFileSync(draft, JSON.stringify(endpoint), { mode: 0o600, flag: 'wx' });
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** The endpoint of the session in this folder, or null when no runtime has announced itself there yet. */
export function readEndpoint(directory: string): SessionEndpoint | null {
  let text: string;
  try {
    text = readFileSync(sessionPaths(directory).endpoint, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return null;
    throw error;
  }
  const value: unknown = JSON.parse(text);
  if (!isEndpoint(value))
    throw new Error(`${sessionPaths(directory).endpoint} is not the endpoint of a session`);
  return value;
}

/** Whether the very process that announced itself still lives. */
export function endpointLives({ pid, identity }: SessionEndpoint): boolean {
  return processIdentity(pid) === identity;
}

/**
 * Ends the session in this folder: its runtime, runtimes that were still starting, and every program of it.
 * @param graceMs how long the runtime may take to end by itself
 */
export async function stopSession(directory: string, graceMs = 3_000): Promise<void> {
  const endpoint = readEndpoint(directory);
  if (endpoint && endpointLives(endpoint)) await stopRuntime(endpoint, graceMs);
  await killUntilGone(() => startedBelow(directory));
  if (endpoint) await killUntilGone(() => processesWithVariable(markerVariable, `${endpoint.instance}:`));
}

/** Ends every session below `sandboxDir` and leaves their files. Harmless when there is no such folder. */
export async function stopAllSessions(sandboxDir: string, graceMs = 3_000): Promise<void> {
  await Promise.all(sessionNames(sandboxDir).map((name) => stopSession(join(sandboxDir, name), graceMs)));
  await killUntilGone(() => startedBelow(sandboxDir));
}

/** Ends a session and removes its folder. Harmless when there is none. */
export async function destroySession(directory: string): Promise<void> {
  await stopSession(directory);
  await removeFolder(directory);
}

/** The names of the folders below `sandboxDir`. */
export function sessionNames(sandboxDir: string): string[] {
  try {
    return readdirSync(sandboxDir, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

async function stopRuntime(endpoint: SessionEndpoint, graceMs: number): Promise<void> {
  signalProcess(endpoint.pid, 'SIGTERM');
  const deadline = monotonicMs() + graceMs;
  while (endpointLives(endpoint) && monotonicMs() < deadline) await delay(20);
  await killUntilGone(() => (endpointLives(endpoint) ? [endpoint.pid] : []));
}

function startedBelow(directory: string): number[] {
  return processesWithVariable(endpointVariable, resolve(directory) + sep);
}

async function removeFolder(directory: string): Promise<void> {
  for (let round = 1; ; round += 1) {
    try {
      const names = await readdir(directory, { encoding: 'buffer' });
      const paths = names.map((name) => joinName(directory, name));
      await removeTrees(directory, paths);
      await rmdir(directory);
      return;
    } catch (error) {
      // Another process removes the same session, or has.
      if (errnoOf(error) === 'ENOENT' && !existsSync(directory)) return;
      if (round === removeRounds) throw error;
      await delay(50);
    }
  }
}

function isEndpoint(value: unknown): value is SessionEndpoint {
  if (typeof value !== 'object' || value === null) return false;
  const { pid, identity, port, instance } = value as Readonly<Record<string, unknown>>;
  return (
    Number.isSafeInteger(pid) &&
    Number(pid) > 1 &&
    typeof identity === 'string' &&
    Number.isSafeInteger(port) &&
    typeof instance === 'string' &&
    /^[0-9a-f]{32}$/.test(instance)
  );
}
