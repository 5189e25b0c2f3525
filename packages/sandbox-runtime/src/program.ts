import { type ChildProcess, spawn } from 'node:child_process';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { oomKills } from './oom-kills.ts';
import { followProcessTree, type LocalProcessTree, type ProcessTree } from './process-tree.ts';
import { type Language, markerVariable, type OutputStream } from './protocol.ts';

export interface Program {
  readonly language: Language;
  /** Absolute path. */
  readonly interpreter: string;
  /** Absolute path of prlimit, or null where there is none. */
  readonly prlimit: string | null;
  /** Absolute path of the launcher of a container (`launch.c`), which sets the limits instead; null elsewhere. */
  readonly launcher: string | null;
  /** Path of the file to run. */
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workspace: string;
  /** HOME and TMPDIR. */
  readonly scratch: string;
  /** Unlike that of any other execution on this machine. */
  readonly marker: string;
  readonly memoryMb: number;
  readonly fileMb: number;
}

export interface ProgramEnd {
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** Why it could not be started, or null. */
  readonly spawnError: string | null;
  /** The kernel killed it for want of memory. */
  readonly outOfMemory?: boolean;
  /** Why its end was never seen, where that is so. */
  readonly lost?: string;
}

export interface RunningProgram {
  /** Null when it could not be started. */
  readonly tree: ProcessTree | null;
  /** Resolves when the program itself has ended. */
  readonly exited: Promise<ProgramEnd>;
  /** Resolves once the program has ended, everything it left behind is killed and its output was handed on. */
  readonly ended: Promise<ProgramEnd>;
}

/** A program that is a child of this process. */
export interface LocalProgram extends RunningProgram {
  readonly tree: LocalProcessTree | null;
}

/** How long output that is still on its way is waited for once no process of the execution is left. */
const outputDrainMs = 2_000;

/**
 * Starts a program in a process group and session of its own, with standard input closed and an environment that
 * holds nothing of ours. `onOutput` takes each piece as it comes.
 */
export function startProgram(
  program: Program,
  onOutput: (stream: OutputStream, data: Buffer) => void | Promise<void>,
): LocalProgram {
  const [command = program.interpreter, ...args] = commandLine(program);
  const killsBefore = program.launcher === null ? null : oomKills();
  let child: ChildProcess;
  try {
    child = spawn(command, args, {
      cwd: program.workspace,
      env: environment(program),
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
  } catch (error) {
    // Arguments and environment larger than the system takes are refused at once, not by an event.
    return failed(error instanceof Error ? error.message : String(error));
  }
  const exited = exitOf(child).then((end) => withMemory(end, killsBefore));
  handOn(child.stdout, (data) => onOutput('stdout', data));
  handOn(child.stderr, (data) => onOutput('stderr', data));
  const drained = Promise.all([streamClosed(child.stdout), streamClosed(child.stderr)]);
  const tree =
    child.pid === undefined
      ? null
      : followProcessTree(child.pid, program.marker, { launched: program.launcher !== null });
  return { tree, exited, ended: settle(exited, drained, tree, child) };
}

/** Reads no faster than what is read can be handed on. */
function handOn(stream: Readable | null, onData: (data: Buffer) => void | Promise<void>): void {
  stream?.on('data', (data: Buffer) => {
    const taken = onData(data);
    if (!taken) return;
    stream.pause();
    // Who takes no more does not want the rest.
    taken.then(
      () => stream.resume(),
      () => stream.destroy(),
    );
  });
}

/** SIGKILL that nobody sent: the kernel counts whom it killed in this container for want of memory. */
function withMemory(end: ProgramEnd, killsBefore: number | null): ProgramEnd {
  if (end.signal !== 'SIGKILL' || killsBefore === null) return end;
  return { ...end, outOfMemory: (oomKills() ?? 0) > killsBefore };
}

async function settle(
  exited: Promise<ProgramEnd>,
  drained: Promise<unknown>,
  tree: ProcessTree | null,
  child: ChildProcess,
): Promise<ProgramEnd> {
  const end = await exited;
  // What it left behind may hold its pipes open, so this comes before the wait for their end.
  await tree?.destroy();
  const late = new AbortController();
  const deadline = delay(outputDrainMs, undefined, { signal: late.signal }).catch(() => undefined);
  await Promise.race([drained, deadline]);
  late.abort();
  child.stdout?.destroy();
  child.stderr?.destroy();
  return end;
}

/**
 * The words of the command. Memory: V8 reserves far more address space than it uses and keeps about 560 MB of
 * private mappings when idle, so RLIMIT_AS is of no use and RLIMIT_DATA gets that much on top; the heap is bound by
 * its own flag and the sum of all processes by the watch in execution-watch.ts.
 */
function commandLine(program: Program): string[] {
  const { interpreter, prlimit } = program;
  const heapMb = Math.max(Math.floor(program.memoryMb * 0.8), 32);
  const words =
    program.language === 'javascript'
      ? [interpreter, `--max-old-space-size=${heapMb}`, program.file, ...program.args]
      : [interpreter, '-u', program.file, ...program.args];
  const megabyte = 1024 * 1024;
  const headroomMb = program.language === 'javascript' ? 1_024 : 256;
  const dataBytes = (program.memoryMb + headroomMb) * megabyte;
  const fileBytes = program.fileMb * megabyte;
  if (program.launcher !== null) {
    return [program.launcher, String(dataBytes), String(fileBytes), '1024', ...words];
  }
  if (prlimit === null) return words;
  const limits = [`--data=${dataBytes}`, `--fsize=${fileBytes}`, '--nofile=1024', '--core=0'];
  return [prlimit, ...limits, '--', ...words];
}

function environment(program: Program): Record<string, string> {
  const path = [
    ...(program.launcher === null ? [dirname(process.execPath)] : []),
    dirname(program.interpreter),
    '/usr/local/bin',
    '/usr/bin',
    '/bin',
  ];
  return {
    PATH: [...new Set(path)].join(':'),
    HOME: program.scratch,
    TMPDIR: program.scratch,
    LANG: 'C.UTF-8',
    TZ: 'UTC',
    PYTHONDONTWRITEBYTECODE: '1',
    PYTHONIOENCODING: 'utf-8',
    ...program.env,
    [markerVariable]: program.marker,
  };
}

function exitOf(child: ChildProcess): Promise<ProgramEnd> {
  return new Promise((resolve) => {
    child.once('exit', (exitCode, signal) => resolve({ exitCode, signal, spawnError: null }));
    child.once('error', (error) => {
      if (child.pid === undefined) resolve({ exitCode: null, signal: null, spawnError: error.message });
    });
  });
}

function streamClosed(stream: Readable | null): Promise<void> {
  return new Promise((resolve) => {
    // Without a free file descriptor a process that could not be started has no pipes either.
    if (!stream) return resolve();
    stream.once('close', resolve);
    // A pipe that breaks has no more output to give.
    stream.once('error', () => resolve());
  });
}

function failed(message: string): LocalProgram {
  const end = Promise.resolve({ exitCode: null, signal: null, spawnError: message });
  return { tree: null, exited: end, ended: end };
}
