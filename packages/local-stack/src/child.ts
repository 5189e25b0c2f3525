import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What to start. */
export interface ChildOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment of the process; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Standard output and error are appended here. */
  readonly logFile: string;
  readonly identity?: { readonly uid: number; readonly gid: number };
}

/** A started process, the leader of its own process group. */
export interface Child {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  readonly exited: Promise<Exit>;
  hasExited(): boolean;
  /** Signals the process alone, or with `group` everything it started that stayed in its group. */
  signal(signal: NodeJS.Signals, scope?: 'process' | 'group'): void;
}

/**
 * Starts a process in a process group of its own: a Ctrl-C in the terminal reaches only the supervisor, which
 * stops its children in order. Output goes straight to the file, so the child outlives nobody's pipe.
 * @throws when the program cannot be started
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  mkdirSync(dirname(options.logFile), { recursive: true });
  const log = openSync(options.logFile, 'a', 0o600);
  try {
    const child = spawn(options.command, options.args, {
      cwd: options.cwd,
      env: { ...options.env },
      stdio: ['ignore', log, log],
      detached: true,
      ...options.identity,
    });
    const exited = exitOf(child);
    await spawned(child, options);
    return asChild(child, exited, options);
  } finally {
    closeSync(log);
  }
}

function asChild(child: ChildProcess, exited: Promise<Exit>, options: ChildOptions): Child {
  const pid = child.pid;
  if (pid === undefined) throw new Error(`${options.name} has no process id`);
  return {
    name: options.name,
    pid,
    logFile: options.logFile,
    exited,
    hasExited: () => child.exitCode !== null || child.signalCode !== null,
    signal: (signal, scope = 'process') => sendSignal(scope === 'group' ? -pid : pid, signal),
  };
}

function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
}

function spawned(child: ChildProcess, options: ChildOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (cause) =>
      reject(
        new Error(`${options.name} could not be started: ${options.command}: ${cause.message}`, { cause }),
      ),
    );
  });
}

/** Sends a signal to a process, or with a negative id to a process group; one that is gone is no error. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/**
 * Waits until `check` holds. A check that throws counts as "not yet"; its last error is in the message.
 * @throws with the end of the log when the process ends before that, or after `timeoutMs`; or when `signal` fires
 */
export async function untilReady(
  child: Child,
  check: () => Promise<boolean>,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<void> {
  const start = performance.now();
  let last: unknown;
  while (!child.hasExited()) {
    signal?.throwIfAborted();
    try {
      if (await check()) return;
    } catch (error) {
      last = error;
    }
    if (performance.now() - start > timeoutMs) {
      const reason = last instanceof Error ? ` (${last.message})` : '';
      throw new Error(
        `${child.name} was not ready within ${timeoutMs / 1000} s${reason}\n${await tailOf(child.logFile)}`,
      );
    }
    await delay(25);
  }
  const exit = await child.exited;
  throw new ChildExitedError(
    `${child.name} ended while starting (${exit.signal ?? `exit code ${exit.code}`})`,
    await tailOf(child.logFile),
  );
}

/** A process that ended before it was ready; `logTail` is the end of what it wrote. */
export class ChildExitedError extends Error {
  readonly logTail: string;
  constructor(message: string, logTail: string) {
    super(`${message}\n${logTail}`);
    this.name = 'ChildExitedError';
    this.logTail = logTail;
  }
}

/** The last lines of a log. */
export async function tailOf(logFile: string): Promise<string> {
  const lines = (await readFile(logFile, 'utf8')).trimEnd().split('\n');
  return lines.slice(-15).join('\n');
}

/** One step of stopping: a signal and how long the process may take to end after it. */
export interface StopStep {
  readonly signal: NodeJS.Signals;
  readonly waitMs: number;
}

/**
 * Sends the signals one after the other until the process has ended, and at last SIGKILL to its whole group, so
 * that nothing it started in that group stays behind.
 */
export async function stopChild(child: Child, steps: readonly StopStep[]): Promise<Exit> {
  for (const { signal, waitMs } of steps) {
    if (child.hasExited()) break;
    child.signal(signal);
    const timer = new AbortController();
    const timeout = delay(waitMs, undefined, { signal: timer.signal }).catch(() => undefined);
    await Promise.race([child.exited, timeout]);
    timer.abort();
  }
  child.signal('SIGKILL', 'group');
  return child.exited;
}
