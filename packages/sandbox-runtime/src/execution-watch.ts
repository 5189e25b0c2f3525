import { monotonicMs } from './clock.ts';
import type { ProcessTree } from './process-tree.ts';

const surveyEveryMs = 150;
const diskEveryMs = 1_000;
const diskAtLeastEveryMs = 10_000;

export interface WatchLimits {
  readonly memoryMb: number;
  readonly processes: number;
  readonly diskMb: number;
}

/**
 * Looks at the processes of an execution and at the size of the workspace until stopped, and reports the first limit
 * that is passed. Processes are counted here because RLIMIT_NPROC counts a user's processes on the whole machine.
 */
export function watchExecution(
  tree: ProcessTree,
  limits: WatchLimits,
  diskUsage: () => Promise<number>,
  onLimit: (limit: 'memory' | 'processes' | 'disk') => void,
): { stop(): void } {
  const memoryBytes = limits.memoryMb * 1024 * 1024;
  const diskBytes = limits.diskMb * 1024 * 1024;
  let stopped = false;

  const look = async () => {
    const { count, memory } = await tree.survey(memoryBytes);
    if (stopped) return;
    if (memory > memoryBytes) onLimit('memory');
    else if (count > limits.processes) onLimit('processes');
  };
  const survey = setInterval(() => {
    look().catch((error: unknown) => {
      process.stderr.write(`surveying processes failed: ${String(error)}\n`);
    });
  }, surveyEveryMs);

  let diskTimer: NodeJS.Timeout | undefined;
  const measureDisk = async () => {
    const started = monotonicMs();
    const used = await diskUsage();
    if (stopped) return;
    if (used > diskBytes) onLimit('disk');
    // A workspace of very many files is walked less often, so that watching stays a small part of the work; but never
    // so seldom that a program could make it slow and then fill the disk unseen.
    scheduleDisk(Math.min(Math.max(diskEveryMs, 20 * (monotonicMs() - started)), diskAtLeastEveryMs));
  };
  const scheduleDisk = (afterMs: number) => {
    diskTimer = setTimeout(() => {
      measureDisk().catch((error: unknown) => {
        process.stderr.write(`measuring the workspace failed: ${String(error)}\n`);
        if (!stopped) scheduleDisk(diskEveryMs);
      });
    }, afterMs);
  };
  scheduleDisk(diskEveryMs);

  return {
    stop() {
      stopped = true;
      clearInterval(survey);
      clearTimeout(diskTimer);
    },
  };
}
