import { monotonicMs } from './clock.ts';
import { judgeEnd } from './end-of-execution.ts';
import { type WatchLimits, watchExecution } from './execution-watch.ts';
import { captureOutput, type OutputTotals } from './output-capture.ts';
import type { OutputLog } from './output-log.ts';
import type { ProgramEnd, RunningProgram } from './program.ts';
import type { EndReason, ExecutionRecord, ExecutionRequest, OutputStream } from './protocol.ts';

export interface RunOptions {
  readonly id: string;
  readonly request: ExecutionRequest;
  readonly log: OutputLog;
  /** Between SIGTERM and SIGKILL. */
  readonly graceMs: number;
  readonly watch: Omit<WatchLimits, 'memoryMb'>;
  start(onOutput: (stream: OutputStream, data: Buffer) => void): RunningProgram;
  /** Of the workspace or of what lies beside it, whichever is more: each may take as much. */
  diskUsage(): Promise<number>;
}

export interface RunningExecution {
  /** The record so far. */
  record(): ExecutionRecord;
  /** Ends it; the first reason stands. */
  stop(reason: EndReason): void;
  /** The final record, once every process of it is gone and all output is in the log. */
  readonly finished: Promise<ExecutionRecord>;
}

/** Starts a program and enforces its limits until it has ended. */
export function runExecution(options: RunOptions): RunningExecution {
  const { id, request, log } = options;
  let stoppedFor: EndReason | null = null;
  let killTimer: NodeJS.Timeout | undefined;
  const capture = captureOutput(log, request.limits, (limit) => {
    if (limit === 'disk' || request.limits.on_output_limit === 'kill') stop(limit);
  });
  const started = monotonicMs();
  const program = options.start((stream, data) => capture.take(stream, data));

  const stop = (reason: EndReason) => {
    if (stoppedFor !== null) return;
    stoppedFor = reason;
    // Whoever is beyond a limit of space may get no time to take more of it.
    const graceful = reason === 'timeout' || reason === 'killed' || reason === 'lost';
    if (graceful) program.tree?.signal('SIGTERM');
    killTimer = setTimeout(() => destroy(program), graceful ? options.graceMs : 0);
  };
  const clock = setTimeout(() => stop('timeout'), request.limits.wall_ms);
  const limits = { ...options.watch, memoryMb: request.limits.memory_mb };
  const watch = program.tree && watchExecution(program.tree, limits, () => options.diskUsage(), stop);
  const soFar = (durationMs: number) => recordSoFar(id, request, capture.totals(), log.size(), durationMs);

  const finish = async (): Promise<ExecutionRecord> => {
    const end = await program.exited;
    const durationMs = monotonicMs() - started;
    clearTimeout(clock);
    watch?.stop();
    await program.ended;
    clearTimeout(killTimer);
    return {
      ...soFar(durationMs),
      ...finalFields(end, judgeEnd(end, stoppedFor, capture.stderrTail(), request)),
    };
  };
  return { record: () => soFar(monotonicMs() - started), stop, finished: finish() };
}

function destroy(program: RunningProgram): void {
  program.tree?.destroy().catch((error: unknown) => {
    process.stderr.write(`killing an execution failed: ${String(error)}\n`);
  });
}

/** The record of an execution that is about to start. */
export function initialRecord(id: string, request: ExecutionRequest): ExecutionRecord {
  const nothing = { stdoutBytes: 0, stderrBytes: 0, stdoutTruncated: false, stderrTruncated: false };
  return recordSoFar(id, request, nothing, 0, 0);
}

function recordSoFar(
  id: string,
  request: ExecutionRequest,
  totals: OutputTotals,
  outputSize: number,
  durationMs: number,
): ExecutionRecord {
  return {
    id,
    language: request.language,
    state: 'running',
    reason: null,
    exit_code: null,
    signal: null,
    duration_ms: Math.round(durationMs),
    stdout_bytes: totals.stdoutBytes,
    stderr_bytes: totals.stderrBytes,
    stdout_truncated: totals.stdoutTruncated,
    stderr_truncated: totals.stderrTruncated,
    output_size: outputSize,
    message: null,
  };
}

function finalFields(
  end: ProgramEnd,
  judged: { readonly reason: EndReason; readonly message: string | null },
) {
  return { state: 'finished', exit_code: end.exitCode, signal: end.signal, ...judged } as const;
}
