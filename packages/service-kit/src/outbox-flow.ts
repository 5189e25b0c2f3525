import type { Alarm } from './alarm.ts';
import type { Clock } from './clock.ts';
import { toError } from './errors.ts';
import type { LoadMeter } from './load-meter.ts';
import { createChains } from './outbox-chains.ts';
import { createMarker } from './outbox-marker.ts';
import type { Publish } from './outbox-publisher.ts';
import type { OutboxRow, PublishedRow } from './outbox-store.ts';
import type { Sweep } from './outbox-sweep.ts';

export interface FlowOptions {
  readonly clock: Clock;
  readonly load: LoadMeter;
  /** Rings when rows were committed, and when `mayGoOn` has become false. */
  readonly alarm: Alarm;
  readonly sweep: Sweep;
  readonly publish: Publish;
  readonly mark: (published: readonly PublishedRow[]) => Promise<void>;
  readonly onMarked: (rows: number) => void;
  /** Everything that was there is on the stream. */
  readonly onCaughtUp: () => void;
  /** Looked at before each read and each publish. */
  readonly mayGoOn: () => boolean;
  /** Aborted when no acknowledgement will come any more. */
  readonly lost: AbortSignal;
}

/** Rows that are read and not yet marked, at most. */
const most = { rows: 4_096, bytes: 16 * 1_024 * 1_024 };
/** One failure may be the row's own, so many are the stream's: no further publish begins then. */
const failuresToStop = 3;
/** Safety net where neither a commit in this process nor a notification rings. */
const pollMs = { soon: 50, later: 500 };
/**
 * Under load the flow rests between reads for some times as long as its statements take, within these bounds: the
 * busier the machine, the more rows share a statement. Else an event is read as soon as it is committed.
 */
const rest = { times: 6, leastMs: 10, mostMs: 50 };

/**
 * Carries rows from the outbox to the stream until it may not go on or something fails: reads on while what was read
 * is on its way, and marks what was acknowledged. Resolves with the failures when nothing is under way any more;
 * rows it has not marked are read by the next flow.
 */
export async function runFlow(options: FlowOptions): Promise<Error[]> {
  const { alarm, sweep, lost } = options;
  const failures: Error[] = [];
  const progress = createProgress(lost);
  const statements = createStopwatch(options.clock);
  const known = createKnownRows();
  let over = false;
  const flowing = (): boolean => !over && !lost.aborted && options.mayGoOn();
  const fail = (thrown: unknown, final: boolean): void => {
    failures.push(toError(thrown));
    over ||= final || failures.length >= failuresToStop;
    progress.tick();
    alarm.ring();
  };
  const marker = createMarker({
    mark: (rows) => statements.time(options.mark(rows)),
    onMarked(rows) {
      sweep.afterRead(() => {
        known.forget(rows);
        progress.tick();
      });
      options.onMarked(rows.length);
    },
    onFailure: (thrown) => fail(thrown, true),
  });
  const chains = createChains({
    publish: options.publish,
    mayPublish: flowing,
    onPublished: marker.add,
    onFailure: (error) => fail(error, false),
    onEnd: progress.tick,
  });
  const readOn = async (): Promise<void> => {
    alarm.arm();
    const page = await statements.time(sweep.next());
    const fresh = known.add(page.rows);
    chains.add(fresh);
    if (!page.over) options.load.note(fresh.length);
    else if (failures.length > 0) over = true;
    else {
      if (page.rows.length === 0) options.onCaughtUp();
      await restAfter(options, fresh.length, statements.averageMs());
    }
  };
  while (flowing()) {
    if (!known.isFull()) await readOn().catch((thrown: unknown) => fail(thrown, true));
    // What has failed blocks its aggregate here; the next flow tries it again.
    else if (failures.length > 0) over = true;
    else await progress.next();
  }
  while (chains.size > 0 && !lost.aborted) await progress.next();
  await marker.flush();
  return failures;
}

/** Waits for what is worth the next read, after one that has shown everything. */
async function restAfter({ alarm, load }: FlowOptions, fresh: number, statementMs: number): Promise<void> {
  load.note(fresh);
  if (fresh === 0) await alarm.wait(pollMs.later);
  else if (load.isBusy())
    await alarm.sleep(Math.min(rest.mostMs, Math.max(rest.leastMs, rest.times * statementMs)));
  else await alarm.wait(pollMs.soon);
}

/** Tells the flow that something has changed for which it waits. */
function createProgress(lost: AbortSignal) {
  let changed = Promise.withResolvers<void>();
  const tick = (): void => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  lost.addEventListener('abort', tick, { once: true });
  return { tick, next: () => changed.promise };
}

/** How long statements take of late. */
function createStopwatch(clock: Clock) {
  let average = 0;
  return {
    async time<T>(work: Promise<T>): Promise<T> {
      const began = clock.monotonicMs();
      const result = await work;
      average = (average + clock.monotonicMs() - began) / 2;
      return result;
    },
    averageMs: () => average,
  };
}

/** What has been read and not yet been marked; reads see it until then. */
function createKnownRows() {
  const sizes = new Map<string, number>();
  let bytes = 0;
  return {
    /** Returns those that are new. */
    add(rows: readonly OutboxRow[]): OutboxRow[] {
      const fresh = rows.filter(({ id }) => !sizes.has(id));
      for (const { id, data } of fresh) {
        sizes.set(id, data.length);
        bytes += data.length;
      }
      return fresh;
    },
    forget(rows: readonly PublishedRow[]): void {
      for (const { row } of rows) {
        bytes -= sizes.get(row.id) ?? 0;
        sizes.delete(row.id);
      }
    },
    isFull: () => sizes.size >= most.rows || bytes >= most.bytes,
  };
}
