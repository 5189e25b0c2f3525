import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { serviceNames } from '@swissbrain/shared-schema/ids';
import { z } from 'zod';

const pid = z.number().int().positive();
const server = z.object({ pid });
const service = z.object({ url: z.url(), pid });

/** A process and when it began, in a form that only this one has: an id alone may be taken over by another. */
export const processIdentity = z.object({ pid, started: z.string().min(1) });
export type ProcessIdentity = z.infer<typeof processIdentity>;

const stackState = z.object({
  supervisor: processIdentity,
  data_dir: z.string(),
  /** The superuser's, or the given one. */
  postgres_url: z.string(),
  /** With the user and the password of an operator when the server is the stack's own. */
  nats_url: z.string(),
  redis_url: z.string(),
  jwt_secret: z.string(),
  /** The servers that the stack runs itself; one given by its URL is absent. */
  servers: z.object({ postgres: server.optional(), nats: server.optional(), redis: server.optional() }),
  services: z.record(z.enum(serviceNames), service),
});

/** What a running stack tells those who want to talk to it. Holds secrets. */
export type StackState = z.infer<typeof stackState>;

/** Where a checkout keeps everything that is not in git. */
export function defaultDataDir(root: string): string {
  return join(root, '.swissbrain');
}

function stateFile(dataDir: string): string {
  return join(dataDir, 'stack.json');
}

/**
 * What the stack of this data directory last wrote, or undefined when none is there. The stack may have died
 * since: see `isRunning`.
 * @throws when the file is not of this version's shape
 */
export async function readStackState(
  root: string,
  dataDir = defaultDataDir(root),
): Promise<StackState | undefined> {
  const text = await readIfPresent(stateFile(dataDir));
  if (text === undefined) return undefined;
  const parsed = stackState.safeParse(parseJson(text));
  if (!parsed.success) {
    throw new Error(
      `${stateFile(dataDir)} is not of this version; stop the stack it belongs to and remove it`,
    );
  }
  return parsed.data;
}

/** Replaces the state in one step, readable by its owner alone. */
export async function writeStackState(state: StackState): Promise<void> {
  await writePrivate(stateFile(state.data_dir), JSON.stringify(state, null, 2));
}

/** Removes the state: the stack is down. */
export async function removeStackState(dataDir: string): Promise<void> {
  await rm(stateFile(dataDir), { force: true });
}

/** The text of a file, or undefined when there is none. */
export async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Writes a file of mode 0600 whole or not at all. */
export async function writePrivate(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const draft = `${path}.${randomBytes(4).toString('hex')}.new`;
  await writeFile(draft, `${text}\n`, { mode: 0o600 });
  await rename(draft, path);
}

/** JSON, or undefined for a text that is none, which no schema accepts. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
