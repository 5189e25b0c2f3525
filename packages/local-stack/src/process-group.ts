import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type StopStep, sendSignal } from './child.ts';
import { type ProcessIdentity, readIfPresent } from './state.ts';

const run = promisify(execFile);

/**
 * The identity of a running process, or undefined when there is none of this id. A zombie, which waits for its
 * parent and runs nothing any more, counts as none.
 */
export async function identify(pid: number): Promise<ProcessIdentity | undefined> {
  const started = process.platform === 'linux' ? await startOnLinux(pid) : await startByPs(pid);
  return started === undefined ? undefined : { pid, started };
}

async function startOnLinux(pid: number): Promise<string | undefined> {
  const stat = await readStat(pid);
  if (stat === undefined) return undefined;
  // The name in parentheses may hold anything; state is the first field after it, the start time the twentieth.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
  const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  return `${boot}:${fields[19] ?? ''}`;
}

async function readStat(pid: number): Promise<string | undefined> {
  try {
    return await readIfPresent(`/proc/${pid}/stat`);
  } catch (error) {
    // The process ended between opening and reading.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return undefined;
    throw error;
  }
}

async function startByPs(pid: number): Promise<string | undefined> {
  try {
    const { stdout } = await run('ps', ['-o', 'stat=,lstart=', '-p', String(pid)]);
    const [state = '', ...started] = stdout.trim().split(/\s+/);
    return state === '' || state.startsWith('Z') ? undefined : started.join(' ');
  } catch (error) {
    // `ps` exits with 1 when there is no such process.
    if ((error as { code?: unknown }).code === 1) return undefined;
    throw error;
  }
}

/** The command line of a process for people to read, empty when it is gone. */
export async function commandOf(pid: number): Promise<string> {
  try {
    if (process.platform === 'linux') {
      return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ').trim();
    }
    return (await run('ps', ['-o', 'command=', '-p', String(pid)])).stdout.trim();
  } catch {
    // Gone, or going: nothing to read either way.
    return '';
  }
}

/** Whether exactly this process still runs. */
export async function isRunning(identity: ProcessIdentity): Promise<boolean> {
  const found = await identify(identity.pid);
  return found?.started === identity.started;
}

/**
 * Stops a process that is not a child of ours: the signals in order, each with its time, then SIGKILL to its
 * group. A process that merely has taken over the id is left alone.
 */
export async function stopProcess(identity: ProcessIdentity, steps: readonly StopStep[]): Promise<void> {
  for (const { signal, waitMs } of steps) {
    if (!(await isRunning(identity))) return;
    sendSignal(identity.pid, signal);
    if (await ended(identity, waitMs)) return;
  }
  sendSignal(-identity.pid, 'SIGKILL');
  if (!(await ended(identity, 2_000))) throw new Error(`process ${identity.pid} does not end`);
}

async function ended(identity: ProcessIdentity, waitMs: number): Promise<boolean> {
  const start = performance.now();
  while (await isRunning(identity)) {
    if (performance.now() - start > waitMs) return false;
    await delay(20);
  }
  return true;
}
