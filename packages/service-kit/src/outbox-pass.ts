import type { ServiceName } from '@swissbrain/shared-schema/ids';
import type { Alarm } from './alarm.ts';
import type { Clock } from './clock.ts';
import type { BaseConfig } from './config.ts';
import type { Database } from './database.ts';
import { toError } from './errors.ts';
import { createLoadMeter } from './load-meter.ts';
import type { Logger } from './logger.ts';
import type { Nats } from './nats.ts';
import { runFlow } from './outbox-flow.ts';
import type { ShardLeases } from './outbox-leases.ts';
import { createPublisher, type FindDefinition, type Publish } from './outbox-publisher.ts';
import { createStreamCheck } from './outbox-recovery.ts';
import { markPublished, type OutboxRow, type PublishedRow } from './outbox-store.ts';
import { createSweep } from './outbox-sweep.ts';
import { StreamMissing } from './publish-acks.ts';

export interface RelayPassOptions {
  readonly service: ServiceName;
  readonly config: BaseConfig;
  readonly log: Logger;
  readonly clock: Clock;
  readonly database: Database;
  readonly nats: Nats;
  readonly leases: ShardLeases;
  readonly alarm: Alarm;
  readonly compareEveryMs?: number;
  /** What events are, in tests that have their own. */
  readonly findDefinition?: FindDefinition;
  readonly isStopping: () => boolean;
  readonly onMarked: (rows: number) => void;
  /** Everything that was there is on the stream. */
  readonly onCaughtUp: () => void;
  /** Test signal: rows are on the stream and not yet marked. */
  readonly onPublished?: (rows: number) => Promise<void>;
}

export interface RelayPass {
  /**
   * Publishes the shards held for as long as they, the connection and the trust in the stream last. Resolves to why
   * rows were left, if they were: NATS is away, the stream is missing or full, the database does not answer.
   */
  run(): Promise<Error | undefined>;
  /** The stream may not be what it was: it is compared before the next publish. */
  forget(): void;
}

/** So often what was published is compared with the stream, should nothing else have told that it was lost. */
const defaultCompareMs = 60_000;

/** Makes what the relay does between two looks at its leases and at the stream. */
export function createRelayPass(options: RelayPassOptions): RelayPass {
  const { service, clock, database, nats, leases, alarm } = options;
  const publish = createPublisher(nats, service, options.findDefinition);
  const load = createLoadMeter(clock);
  const check = createStreamCheck({ ...options, everyMs: options.compareEveryMs ?? defaultCompareMs });
  const order = createOrderCheck(publish, check.forget);

  const pass = async (): Promise<Error | undefined> => {
    const held = leases.held();
    if (held.length === 0) {
      alarm.arm();
      await alarm.wait(500);
      return undefined;
    }
    if (!nats.isConnected()) return new Error('NATS is away');
    if (await check.compare(held.map(({ shard }) => shard))) order.restart();
    const lost = new AbortController();
    const offDisconnect = nats.onDisconnect(() => lost.abort());
    const failures = await runFlow({
      ...{ clock, load, alarm, lost: lost.signal },
      ...{ onMarked: options.onMarked, onCaughtUp: options.onCaughtUp },
      sweep: createSweep(database, held),
      publish: order.publish,
      async mark(published) {
        await options.onPublished?.(published.length);
        order.refuseReset();
        await markPublished(database, held, published);
      },
      mayGoOn: () => !options.isStopping() && leases.held() === held && !check.isDue(),
    }).finally(offDisconnect);
    if (failures.some((failure) => failure instanceof StreamMissing)) check.forget();
    return lost.signal.aborted ? new Error('NATS went away') : failures[0];
  };
  return {
    run: () => pass().catch(toError),
    forget() {
      check.forget();
      alarm.ring();
    },
  };
}

/**
 * A stream that counts on from a lower number than it had given when a publish began is not the one that took the
 * events before. What it has taken since must not be marked: those events wait behind what was lost, and the stream
 * drops the repeat.
 */
function createOrderCheck(publish: Publish, onReset: () => void) {
  let newestSeq = 0;
  let isReset = false;
  const refuseReset = (): void => {
    if (isReset) throw new Error('the stream was made anew');
  };
  return {
    async publish(row: OutboxRow): Promise<PublishedRow> {
      const before = newestSeq;
      const published = await publish(row);
      if (published.repeated) return published;
      if (published.streamSeq <= before) {
        isReset = true;
        onReset();
      }
      refuseReset();
      newestSeq = Math.max(newestSeq, published.streamSeq);
      return published;
    },
    /** @throws Error when what was published is not to be marked */
    refuseReset,
    /** The stream has been compared: whatever it is, its numbers count from here. */
    restart(): void {
      newestSeq = 0;
      isReset = false;
    },
  };
}
