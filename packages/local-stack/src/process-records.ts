import { randomUUID } from 'node:crypto';
import { link, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { identify, isRunning } from './process-group.ts';
import { type ProcessIdentity, parseJson, processIdentity, readIfPresent, writePrivate } from './state.ts';

// One file per process of the stack, `run/<name>.pid`: a supervisor that was killed leaves them, and the next one
// finds what still runs.

/** Notes that this process belongs to the stack of the data directory. */
export async function recordProcess(dataDir: string, name: string, pid: number): Promise<void> {
  const identity = await identify(pid);
  if (identity === undefined) return;
  await writePrivate(recordFile(dataDir, name), JSON.stringify(identity));
}

/** Removes the note of a process that has ended. */
export async function forgetProcess(dataDir: string, name: string): Promise<void> {
  await rm(recordFile(dataDir, name), { force: true });
}

/** The noted processes that still run, by name. */
export async function recordedProcesses(dataDir: string): Promise<Map<string, ProcessIdentity>> {
  const running = new Map<string, ProcessIdentity>();
  await mkdir(runDir(dataDir), { recursive: true });
  for (const file of await readdir(runDir(dataDir))) {
    if (!file.endsWith('.pid')) continue;
    const identity = processIdentity.safeParse(
      parseJson((await readIfPresent(join(runDir(dataDir), file))) ?? ''),
    );
    if (identity.success && (await isRunning(identity.data))) running.set(file.slice(0, -4), identity.data);
  }
  return running;
}

/**
 * Makes this process the only supervisor of the data directory.
 * @returns undefined on success, else the running one that has it
 */
export async function claimDataDir(dataDir: string): Promise<ProcessIdentity | undefined> {
  const own = await identify(process.pid);
  if (own === undefined) throw new Error('cannot read the start time of this process');
  const path = recordFile(dataDir, supervisorName);
  const draft = join(runDir(dataDir), `claim-${randomUUID()}`);
  await writePrivate(draft, JSON.stringify(own));
  try {
    for (;;) {
      if (await linked(draft, path)) return undefined;
      const holder = processIdentity.safeParse(parseJson((await readIfPresent(path)) ?? ''));
      if (holder.success && (await isRunning(holder.data))) return holder.data;
      await rm(path, { force: true });
    }
  } finally {
    await rm(draft, { force: true });
  }
}

/** A link is made with its content in one step, and never over another. */
async function linked(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Gives the data directory free again. */
export async function releaseDataDir(dataDir: string): Promise<void> {
  await forgetProcess(dataDir, supervisorName);
}

/** The record of the supervisor itself. */
export const supervisorName = 'supervisor';

function runDir(dataDir: string): string {
  return join(dataDir, 'run');
}

function recordFile(dataDir: string, name: string): string {
  return join(runDir(dataDir), `${name}.pid`);
}
