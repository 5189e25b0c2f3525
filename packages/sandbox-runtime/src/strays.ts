import type { LocalProcessTree } from './process-tree.ts';
import { killUntilGone, listProcesses, signalProcess } from './processes.ts';

/**
 * Kills every process of this container but this one and those of the programs in `spared`, which still run. Only for
 * the first process of a container, to which no others belong than those that users' programs started.
 * @throws Error when something could not be killed
 */
export async function killStrays(spared: () => readonly LocalProcessTree[]): Promise<void> {
  const strays = () => {
    const keep = new Set(spared().flatMap((tree) => [...tree.pids()]));
    return listProcesses()
      .map((entry) => entry.pid)
      .filter((pid) => pid !== process.pid && !keep.has(pid));
  };
  const gone = await killUntilGone(() => {
    const found = strays();
    // All at once where nothing is to be spared: what forks while it is hunted one by one may get away.
    if (found.length > 0 && spared().length === 0) signalProcess(-1, 'SIGKILL');
    return found;
  });
  if (!gone) throw new Error('processes are left that cannot be killed');
}
