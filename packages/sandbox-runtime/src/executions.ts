import type { CodeHost } from './code-host.ts';
import { initialRecord, type RunningExecution, type RunOptions, runExecution } from './execution.ts';
import type { ExecutionStore } from './execution-store.ts';
import { RuntimeFault } from './faults.ts';
import type { OutputLog } from './output-log.ts';
import type { ExecutionRecord, ExecutionRequest } from './protocol.ts';
import { sha256Hex } from './signing.ts';

const maxRunning = 16;
const maxKept = 10_000;

export interface ExecutionsOptions {
  readonly host: CodeHost;
  readonly store: ExecutionStore;
  readonly graceMs: number;
  readonly maxProcesses: number;
  readonly diskMb: number;
  /** How what still runs counts when the runtime is closed: in a pod nobody but the cluster does that. */
  readonly closedAs: 'killed' | 'lost';
}

export interface Executions {
  /** Starts a program under an id, or answers with what the id stands for already. */
  start(
    id: string,
    request: ExecutionRequest,
  ): Promise<{ readonly record: ExecutionRecord; readonly started: boolean }>;
  /** @throws RuntimeFault `execution_missing` */
  record(id: string): ExecutionRecord;
  /** Frames from `offset` on; waits for new ones until the signal fires. Empty and finished at the end. */
  output(id: string, offset: number, signal: AbortSignal): Promise<OutputSlice>;
  /** Ends an execution and resolves with its final record. */
  kill(id: string): Promise<ExecutionRecord>;
  runningCount(): number;
  /** Starts no more, ends all that run and waits until they are gone. */
  close(): Promise<void>;
}

export interface OutputSlice {
  readonly frames: Buffer;
  readonly nextOffset: number;
  /** The final record when there is nothing behind `nextOffset`. */
  readonly finished: ExecutionRecord | null;
}

interface Kept {
  readonly requestSha256: string;
  readonly log: OutputLog;
  record: () => ExecutionRecord;
  running: RunningExecution | null;
  readonly finished: Promise<ExecutionRecord>;
}

/** All executions of a session: each id is started at most once, in this process or an earlier one. */
export function createExecutions(options: ExecutionsOptions): Executions {
  const kept = new Map<string, Promise<Kept>>();
  const settled = new Map<string, Kept>();
  let closed = false;
  for (const { record, requestSha256, log } of options.store.load()) {
    const old = {
      requestSha256,
      log,
      record: () => record,
      running: null,
      finished: Promise.resolve(record),
    };
    settled.set(record.id, old);
    kept.set(record.id, Promise.resolve(old));
  }
  const runningCount = () => [...settled.values()].filter((one) => one.running !== null).length;

  const find = (id: string): Kept => {
    const found = settled.get(id);
    if (!found) throw new RuntimeFault(404, 'execution_missing', 'no execution has this id');
    return found;
  };

  const begin = async (id: string, request: ExecutionRequest, requestSha256: string): Promise<Kept> => {
    if (closed) throw new RuntimeFault(503, 'closing', 'the sandbox is closing');
    const starting = kept.size - settled.size;
    if (runningCount() + starting >= maxRunning)
      throw new RuntimeFault(429, 'busy', 'too many executions are running');
    if (settled.size >= maxKept)
      throw new RuntimeFault(429, 'session_full', 'too many executions in this session');
    const prepared = await options.host.prepare(id, request);
    if (closed) throw new RuntimeFault(503, 'closing', 'the sandbox is closing');
    const one = launch(options, id, request, requestSha256, prepared.start);
    settled.set(id, one);
    return one;
  };

  return {
    async start(id, request) {
      const requestSha256 = sha256Hex(JSON.stringify(request));
      const existing = kept.get(id);
      // No await between looking and reserving: two calls at once must meet here.
      const entry = existing ?? begin(id, request, requestSha256);
      if (!existing) kept.set(id, entry);
      try {
        const one = await entry;
        if (one.requestSha256 === requestSha256) return { record: one.record(), started: !existing };
      } catch (error) {
        // Nothing was started, so the id is free again.
        if (kept.get(id) === entry) kept.delete(id);
        throw error;
      }
      throw new RuntimeFault(409, 'execution_conflict', 'this id stands for another request');
    },
    record: (id) => find(id).record(),
    output: (id, offset, signal) => readOutput(find(id), offset, signal),
    async kill(id) {
      const one = find(id);
      one.running?.stop('killed');
      return one.finished;
    },
    runningCount,
    async close() {
      closed = true;
      await Promise.allSettled(kept.values());
      for (const one of settled.values()) one.running?.stop(options.closedAs);
      await Promise.all([...settled.values()].map((one) => one.finished));
    },
  };
}

async function readOutput(one: Kept, offset: number, signal: AbortSignal): Promise<OutputSlice> {
  for (;;) {
    const frames = one.log.read(offset);
    const nextOffset = offset + frames.length;
    const record = one.record();
    const finished = record.state === 'finished' && nextOffset === record.output_size ? record : null;
    if (frames.length > 0 || finished || signal.aborted) return { frames, nextOffset, finished };
    await one.log.grown(offset, signal);
  }
}

function launch(
  { host, store, graceMs, maxProcesses, diskMb }: ExecutionsOptions,
  id: string,
  request: ExecutionRequest,
  requestSha256: string,
  start: RunOptions['start'],
): Kept {
  const log = store.begin({ record: initialRecord(id, request), requestSha256 });
  const running = runExecution({
    id,
    request,
    log,
    graceMs,
    watch: { processes: maxProcesses, diskMb },
    start,
    diskUsage: async () => Math.max(await host.usage(), await host.usageBeside(id)),
  });
  const settle = async (): Promise<ExecutionRecord> => {
    const record = await running.finished;
    try {
      store.save({ record, requestSha256 });
      await host.cleanUp(id);
    } catch (error) {
      // A full disk, or a code container that is gone, must not hide the end from the reader who waits for it.
      process.stderr.write(`clearing up after execution ${id} failed: ${String(error)}\n`);
    }
    one.record = () => record;
    one.running = null;
    log.end();
    return record;
  };
  const one: Kept = { requestSha256, log, record: () => running.record(), running, finished: settle() };
  return one;
}
