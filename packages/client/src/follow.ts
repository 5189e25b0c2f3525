import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { chunksOf } from './chunks.ts';
import { backoffMs, isTransient, pause, type RetryPolicy } from './retry.ts';
import type { Transport } from './transport.ts';
import { isFinal, type RunEvent, type RunView } from './types.ts';

export interface FollowOptions {
  /** The last event already seen; the first one yielded is the next. 0, the default, starts at the beginning. */
  readonly after?: number;
  readonly signal?: AbortSignal;
  /** Told about each dropped connection before the wait for the next attempt. */
  readonly onReconnect?: (why: {
    readonly error: unknown;
    readonly attempt: number;
    readonly after: number;
  }) => void;
}

export interface FollowSettings {
  /** Consecutive connections without a single event before giving up, and the waits between them. */
  readonly retry: RetryPolicy;
  /** The server sends a comment every few seconds; a longer silence is a lost connection. Milliseconds. */
  readonly idleMs: number;
}

export const defaultFollow: FollowSettings = {
  retry: { attempts: 12, baseMs: 250, capMs: 10_000 },
  idleMs: 60_000,
};

interface Source {
  readonly transport: Transport;
  readonly eventsUrl: URL;
  readonly settings: FollowSettings;
  readonly readRun: () => Promise<RunView>;
}

const closing: ReadonlySet<string> = new Set([
  'run.completed',
  'run.failed',
  'run.cancelled',
  'run.timed_out',
]);

/**
 * The events of one run in the order of `run_seq`, each exactly once, until its closing event. A dropped
 * connection is taken up again after the last event seen.
 * @throws ApiProblem when the server refuses (unknown run, bad token), the last error when it stays away
 */
export async function* followRun(source: Source, options: FollowOptions = {}): AsyncGenerator<RunEvent> {
  const { retry } = source.settings;
  let after = options.after ?? 0;
  let fruitless = 0;
  for (;;) {
    let failure: unknown = null;
    try {
      for await (const event of connectOnce(source, after, options.signal)) {
        if (event.run_seq <= after) continue;
        after = event.run_seq;
        fruitless = 0;
        yield event;
        if (closing.has(event.type)) return;
      }
      // A clean end: the run was over before the cursor, or the server is going away.
      if (await isOver(source, after)) return;
    } catch (error) {
      options.signal?.throwIfAborted();
      if (!isTransient(error)) throw error;
      failure = error;
    }
    fruitless += 1;
    if (fruitless >= retry.attempts)
      throw failure ?? new Error(`the event stream of ${source.eventsUrl} keeps ending`);
    options.onReconnect?.({ error: failure, attempt: fruitless, after });
    await pause(backoffMs(retry, fruitless), options.signal);
  }
}

async function isOver(source: Source, after: number): Promise<boolean> {
  const run = await source.readRun();
  return isFinal(run.status) && run.run_seq <= after;
}

async function* connectOnce(source: Source, after: number, signal?: AbortSignal): AsyncGenerator<RunEvent> {
  const response = await source.transport.open({
    url: source.eventsUrl,
    headers: { accept: 'text/event-stream', ...(after > 0 ? { 'last-event-id': String(after) } : {}) },
    signal,
  });
  if (!response.body) return;
  let arrived: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (message) => arrived.push(message) });
  const decoder = new TextDecoder();
  for await (const chunk of chunksOf(response.body, source.eventsUrl.href, source.settings.idleMs)) {
    parser.feed(decoder.decode(chunk, { stream: true }));
    const messages = arrived;
    arrived = [];
    for (const message of messages) {
      const event = readEvent(message);
      if (event) yield event;
    }
  }
}

/** Frames without an id are not events of the run (a notice, a token delta): they carry no place to resume from. */
function readEvent(message: EventSourceMessage): RunEvent | null {
  if (message.id === undefined || !/^\d+$/.test(message.id)) return null;
  return JSON.parse(message.data) as RunEvent;
}
