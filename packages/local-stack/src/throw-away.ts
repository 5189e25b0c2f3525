import { chmod, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { identify, isRunning } from './process-group.ts';
import { environmentPlaces, stopProcessesOf } from './processes-of.ts';
import { parseJson, processIdentity, readIfPresent, writePrivate } from './state.ts';

/** A directory for the time of one command, and everything that was started for it. */
export interface ThrowAwayDir {
  readonly path: string;
  /** Processes that have this directory in their environment, as TMPDIR say, and still run. */
  processes(): Promise<number[]>;
  /** Ends those processes and removes the directory. */
  remove(): Promise<void>;
}

const prefix = 'swissbrain-';

/**
 * Makes a directory below `parent`. Those of commands that were killed before they could remove theirs are
 * removed first, with the processes that still run for them.
 */
export async function createThrowAwayDir(parent: string, purpose: string): Promise<ThrowAwayDir> {
  await mkdir(parent, { recursive: true });
  await sweep(parent, purpose);
  const owner = await identify(process.pid);
  if (owner === undefined) throw new Error('cannot read the start time of this process');
  const path = await mkdtemp(join(parent, `${prefix}${purpose}-`));
  // Postgres runs as another user when we are root, and has to pass through.
  await chmod(path, 0o711);
  await writePrivate(join(path, ownerFile), JSON.stringify(owner));
  return { path, processes: () => environmentPlaces(path), remove: () => removeDir(path) };
}

const ownerFile = 'owner.json';

async function sweep(parent: string, purpose: string): Promise<void> {
  for (const name of await readdir(parent)) {
    if (!name.startsWith(`${prefix}${purpose}-`)) continue;
    const path = join(parent, basename(name));
    const owner = processIdentity.safeParse(parseJson((await readIfPresent(join(path, ownerFile))) ?? ''));
    // Without a readable owner it may be one that is being made.
    if (owner.success && !(await isRunning(owner.data))) await removeDir(path);
  }
}

async function removeDir(path: string): Promise<void> {
  await stopProcessesOf(path);
  await rm(path, { recursive: true, force: true });
}
