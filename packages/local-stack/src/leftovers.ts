import { stopAllSessions } from '@swissbrain/sandbox-runtime/session-directory';
import { serviceNames } from '@swissbrain/shared-schema/ids';
import { removeContainers } from './launch.ts';
import { stopProcess } from './process-group.ts';
import { forgetProcess, recordedProcesses, supervisorName } from './process-records.ts';
import { sandboxDir } from './service-environment.ts';
import { removeStackState } from './state.ts';

/**
 * Stops what a supervisor of this data directory left running when it was killed: services, sandboxes, then
 * servers, as in an orderly stop. Only for the holder of the data directory.
 */
export async function cleanUpAfterKilled(dataDir: string, log: (line: string) => void): Promise<void> {
  const left = await recordedProcesses(dataDir);
  left.delete(supervisorName);
  if (left.size > 0) log(`stopping what an earlier run left behind: ${[...left.keys()].join(', ')}`);
  const stop = async (name: string, signal: NodeJS.Signals, waitMs: number): Promise<void> => {
    const identity = left.get(name);
    if (identity !== undefined) await stopProcess(identity, [{ signal, waitMs }]);
    await forgetProcess(dataDir, name);
  };
  await Promise.all(serviceNames.map((name) => stop(name, 'SIGTERM', 5_000)));
  await stopSandboxes(dataDir);
  await Promise.all([stop('redis', 'SIGTERM', 2_000), stop('nats', 'SIGTERM', 2_000)]);
  await removeContainers(dataDir);
  // Immediate shutdown: the connections of the killed are still open, and the next start recovers.
  await stop('postgres', 'SIGQUIT', 5_000);
  await removeStackState(dataDir);
}

// Whoever would read what a sandbox still has to say is gone by then.
const sandboxGraceMs = 500;

/** Ends every sandbox of the data directory with all that runs in it; their files stay. */
export async function stopSandboxes(dataDir: string): Promise<void> {
  await stopAllSessions(sandboxDir(dataDir), sandboxGraceMs);
}
