import type { RunEventView } from '@swissbrain/shared-schema/http/agent-runner';

/** Where frames go: one client's connection. */
export interface FrameSink {
  /** Writes a frame; false when the client must first take what it was sent. */
  write(frame: string): boolean;
  /** Resolves when the client has taken what it was sent, or is gone. */
  drained(): Promise<void>;
  end(): void;
}

export interface FollowerOptions {
  /** Number of the last event the client has. */
  readonly after: number;
  /** Events with a larger number in order, at most a page. Fewer than `pageSize`: that is all for now. */
  readonly readRows: (after: number) => Promise<readonly RunEventView[]>;
  readonly pageSize: number;
  readonly sink: FrameSink;
  /** Called once when the rows cannot be read. */
  readonly onFailure: (error: unknown) => void;
}

/** One client that follows one run. */
export interface Follower {
  /** An event as it was published. */
  offer(event: RunEventView): void;
  /** Looks for rows that were missed. */
  catchUp(): void;
  stop(): void;
}

const terminal: ReadonlySet<string> = new Set([
  'run.completed',
  'run.failed',
  'run.cancelled',
  'run.timed_out',
]);

/** One server-sent event; its id is what `Last-Event-ID` comes back with. */
function toFrame(event: RunEventView): string {
  return `id: ${event.run_seq}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}

/**
 * Sends a run's events in order, each once: from rows until it has caught up, then as they are published. A gap, or a
 * client that is slower than its run, sends it back to the rows, so nothing is ever buffered for a client. Ends
 * after the closing event.
 */
export function createFollower(options: FollowerOptions): Follower {
  const { readRows, pageSize, sink, onFailure } = options;
  let last = options.after;
  let reading = false;
  let again = false;
  let stopped = false;

  const stop = () => {
    if (stopped) return;
    stopped = true;
    sink.end();
  };
  /** Sends the next event; false when the client must take a breath. */
  const send = (event: RunEventView): boolean => {
    last = event.run_seq;
    const ready = sink.write(toFrame(event));
    if (terminal.has(event.type)) stop();
    return ready;
  };
  /** Reads pages until there are no more rows, and again when it was asked to meanwhile. */
  const readOn = async () => {
    for (;;) {
      again = false;
      const rows = await readRows(last);
      for (const row of rows) {
        if (stopped) return;
        if (row.run_seq > last && !send(row)) await sink.drained();
      }
      if (stopped) return;
      if (rows.length >= pageSize || again) continue;
      // In one breath with the look at `again`: whoever asks from now on starts anew.
      reading = false;
      return;
    }
  };
  const catchUp = () => {
    if (stopped) return;
    if (reading) {
      again = true;
      return;
    }
    reading = true;
    readOn().catch((error: unknown) => {
      if (stopped) return;
      onFailure(error);
      stop();
    });
  };

  return {
    offer(event) {
      if (stopped || event.run_seq <= last) return;
      if (reading || event.run_seq !== last + 1) {
        catchUp();
        return;
      }
      if (send(event) || stopped) return;
      reading = true;
      void sink.drained().then(() => {
        reading = false;
        catchUp();
      });
    },
    catchUp,
    stop,
  };
}
