import { execFileSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import {
  killUntilGone,
  listProcesses,
  type ProcessEntry,
  processesWithVariable,
  processIdentity,
  proportionalMemory,
  signalProcess,
} from './processes.ts';
import { markerVariable } from './protocol.ts';

/** All processes of one execution, as far as they can be told: its session, its descendants, its mark. */
export interface ProcessTree {
  /** Looks again: how many processes there are and what memory they take together, in bytes. */
  survey(memoryLimit: number): Promise<{ readonly count: number; readonly memory: number }>;
  signal(signal: NodeJS.Signals): void;
  /** Kills every one that is left; false when that did not succeed. */
  destroy(): Promise<boolean>;
}

/** A tree on this machine. */
export interface LocalProcessTree extends ProcessTree {
  /** Its processes as they are now. */
  pids(): ReadonlySet<number>;
}

/**
 * Follows the program that leads process group and session `leader`. A child that leaves both is still known when
 * it was seen before it left or kept its environment. Who forks twice, drops its environment and is quick enough
 * gets away from this, which is why the production driver gives each run a container of its own. `launched`: the leader is
 * the launcher of a container.
 */
export function followProcessTree(
  leader: number,
  marker: string,
  options: { readonly launched?: boolean } = {},
): LocalProcessTree {
  const known = new Map<number, string>();

  const members = (): ProcessEntry[] => {
    const table = listProcesses();
    const found = table.filter(
      (entry) => entry.session === leader || known.get(entry.pid) === entry.startTicks,
    );
    const pids = new Set(found.map((entry) => entry.pid));
    for (let before = -1; before !== found.length; ) {
      before = found.length;
      for (const entry of table) {
        if (pids.has(entry.pid) || !pids.has(entry.parent)) continue;
        pids.add(entry.pid);
        found.push(entry);
      }
    }
    known.clear();
    for (const entry of found) known.set(entry.pid, entry.startTicks);
    return found;
  };

  // In a container the launcher adopts what its program leaves. A mark would say less: any process there can put the mark
  // of another program on itself and live as long as that.
  const marked = () => (options.launched ? [] : processesWithVariable(markerVariable, `${marker}\0`));
  const allPids = () => new Set([...members().map((entry) => entry.pid), ...marked()]);

  return {
    pids: allPids,
    async survey(memoryLimit) {
      const found = members();
      const resident = found.reduce((sum, entry) => sum + entry.residentPages, 0) * pageBytes();
      // Resident pages count once per process that shares them; only near the limit is the exact sum worth reading.
      const memory =
        resident <= memoryLimit ? resident : found.reduce((sum, { pid }) => sum + proportionalMemory(pid), 0);
      return { count: found.length, memory };
    },
    signal(signal) {
      // One by one, because a process of the group would get the same signal twice otherwise.
      for (const { pid } of members()) signalProcess(pid, signal);
      if (known.size === 0) signalProcess(-leader, signal);
    },
    async destroy() {
      if (options.launched) {
        // The launcher reaps what is killed and then ends by itself; without it, the dead would stay in the table.
        await killUntilGone(() => [...allPids()].filter((pid) => pid !== leader));
        if (await goneByItself(leader)) return true;
      }
      signalProcess(-leader, 'SIGKILL');
      return killUntilGone(() => [...allPids()]);
    },
  };
}

async function goneByItself(pid: number): Promise<boolean> {
  for (let round = 0; round < 100; round += 1) {
    if (processIdentity(pid) === null) return true;
    await delay(10);
  }
  return false;
}

let knownPageBytes: number | undefined;

function pageBytes(): number {
  knownPageBytes ??= readPageBytes();
  return knownPageBytes;
}

function readPageBytes(): number {
  try {
    return Number(execFileSync('getconf', ['PAGESIZE'], { encoding: 'utf8' }));
  } catch {
    // An image without getconf: nearly every machine has pages of 4 KiB.
    return 4_096;
  }
}
