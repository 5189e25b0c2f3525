import type { ServiceName } from '@swissbrain/shared-schema/ids';
import type { Registry } from 'prom-client';
import { type Alarm, createAlarm } from './alarm.ts';
import type { Clock } from './clock.ts';
import type { BaseConfig } from './config.ts';
import type { Database } from './database.ts';
import { describeError } from './errors.ts';
import type { Logger } from './logger.ts';
import type { Nats } from './nats.ts';
import {
  createShardLeases,
  defaultLeaseTimes,
  type LeaseTimes,
  type ShardLeases,
  shardCount,
} from './outbox-leases.ts';
import { createRelayMetrics, type RelayMetrics } from './outbox-metrics.ts';
import { openOutboxNotifications } from './outbox-notifications.ts';
import { createRelayPass } from './outbox-pass.ts';
import type { FindDefinition } from './outbox-publisher.ts';

/** Carries committed events of one service from its outbox to the stream. */
export interface OutboxRelay {
  /** Rows were committed; cheap, and any number of calls become one pass. */
  wake(): void;
  /** Ends the pass under way and gives the shards back. */
  stop(): Promise<void>;
}

export interface OutboxRelayOptions {
  readonly service: ServiceName;
  readonly config: BaseConfig;
  readonly log: Logger;
  readonly clock: Clock;
  readonly metrics: Registry;
  readonly database: Database;
  readonly nats: Nats;
  readonly leaseTimes?: LeaseTimes;
  /** How often what was published is compared with the stream; a minute. */
  readonly compareEveryMs?: number;
  /** What events are, in tests that have their own. */
  readonly findDefinition?: FindDefinition;
  /** Test signal: rows are on the stream and not yet marked. */
  readonly onPublished?: (rows: number) => Promise<void>;
}

const heldRetryMs = { first: 100, most: 1_000 };

/**
 * Starts the relay of a service. Rows are read without locks from leased shards, published outside any
 * transaction and marked in one statement under the fence of the lease. Killed between the two it publishes
 * again under the same ids; the server's window drops the repeats, and behind it each consumer's inbox.
 */
export function startOutboxRelay(options: OutboxRelayOptions): OutboxRelay {
  const { service, config, log, clock, database, nats } = options;
  const times = options.leaseTimes ?? defaultLeaseTimes;
  const leases = createShardLeases(database, clock, times);
  const metrics = createRelayMetrics(options.metrics, database, log);
  const stopping = new AbortController();
  const alarm = createAlarm(stopping.signal);
  const flow = createFlowReport(metrics, log);
  const pass = createRelayPass({
    ...options,
    ...{ leases, alarm, isStopping: () => stopping.signal.aborted },
    ...{ onMarked: flow.published, onCaughtUp: flow.goesOn },
  });
  const offReconnect = nats.onReconnect(pass.forget);
  const notifications = openOutboxNotifications({ service, config, log, onNotification: alarm.ring });
  const loops = Promise.all([
    relayLoop({ run: pass.run, flow, alarm, signal: stopping.signal }),
    leaseLoop({ leases, everyMs: times.leaseMs / 4, alarm, metrics, log, signal: stopping.signal }),
  ]);
  return {
    wake() {
      alarm.ring();
      // Another process holds shards whose rows may have been written here.
      if (leases.held().length < shardCount) notifications.notify();
    },
    async stop() {
      stopping.abort();
      offReconnect();
      await Promise.all([loops, notifications.stop()]);
      await leases.release();
    },
  };
}

interface FlowReport {
  published(rows: number): void;
  goesOn(): void;
  /** Events are held; returns how many were published since the last time. */
  isHeld(reason: Error): number;
}

/** Says in metrics and log whether events flow, once per change. */
function createFlowReport(metrics: RelayMetrics, log: Logger): FlowReport {
  let since = 0;
  let reason: string | undefined;
  return {
    published(rows) {
      since += rows;
      metrics.published.inc(rows);
    },
    goesOn() {
      metrics.held.set(0);
      if (reason !== undefined) log.info('events flow again');
      reason = undefined;
    },
    isHeld(error) {
      const now = describeError(error);
      if (now !== reason) log.warn({ reason: now }, 'events are held in the outbox');
      reason = now;
      metrics.held.set(1);
      const published = since;
      since = 0;
      return published;
    },
  };
}

async function relayLoop(loop: {
  readonly run: () => Promise<Error | undefined>;
  readonly flow: FlowReport;
  readonly alarm: Alarm;
  readonly signal: AbortSignal;
}): Promise<void> {
  let retryMs = heldRetryMs.first;
  while (!loop.signal.aborted) {
    const held = await loop.run();
    if (!held) continue;
    if (loop.flow.isHeld(held) > 0) retryMs = heldRetryMs.first;
    await loop.alarm.sleep(retryMs);
    retryMs = Math.min(retryMs * 2, heldRetryMs.most);
  }
}

async function leaseLoop(loop: {
  readonly leases: ShardLeases;
  readonly everyMs: number;
  readonly alarm: Alarm;
  readonly metrics: RelayMetrics;
  readonly log: Logger;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { leases, alarm, metrics, log, signal } = loop;
  while (!signal.aborted) {
    const before = leases.held().length;
    await leases.renew().catch((thrown: unknown) => {
      log.warn({ reason: describeError(thrown) }, 'outbox shards could not be leased');
    });
    const after = leases.held().length;
    if (after > before) alarm.ring();
    metrics.shards.set(after);
    await alarm.sleep(loop.everyMs);
  }
}
