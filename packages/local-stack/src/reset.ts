import { readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { destroySession, sessionNames } from '@swissbrain/sandbox-runtime/session-directory';
import { cleanUpAfterKilled } from './leftovers.ts';
import { relocatedDataDir } from './postgres-installation.ts';
import { claimDataDir, releaseDataDir } from './process-records.ts';
import { sandboxDir } from './service-environment.ts';
import { readStackState } from './state.ts';
import { StackRunningError } from './supervisor.ts';

// The claim that we hold ourselves, and benchmarks, which have stacks of their own.
const kept = new Set(['run', 'bench']);

/**
 * Removes everything that the stack of this data directory has kept, its secrets included.
 * @throws StackRunningError while one runs
 */
export async function clearData(root: string, dataDir: string, log: (line: string) => void): Promise<void> {
  const holder = await claimDataDir(dataDir);
  if (holder !== undefined) {
    throw new StackRunningError(holder.pid, dataDir, await readStackState(root, dataDir));
  }
  try {
    await cleanUpAfterKilled(dataDir, log);
    await rm(dirname(relocatedDataDir(join(dataDir, 'postgres'))), { recursive: true, force: true });
    const sandboxes = sandboxDir(dataDir);
    for (const name of sessionNames(sandboxes)) await destroySession(join(sandboxes, name));
    for (const entry of await readdir(dataDir)) {
      if (!kept.has(entry)) await rm(join(dataDir, entry), { recursive: true, force: true });
    }
  } finally {
    await releaseDataDir(dataDir);
  }
}
