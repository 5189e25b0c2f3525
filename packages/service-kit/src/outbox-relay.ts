import { setTimeout as delay } from 'node:timers/promises';
import type { ServiceName } from '@swissbrain/shared-schema/ids';
import type { Registry } from 'prom-client';
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
import { createRelayPass, type RelayPass } from './outbox-pass.ts';

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
  /** Test signal: rows are on the stream and not yet marked. */
  readonly onPublished?: (rows: number) => Promise<void>;
}

/** Safety net where neither a commit in this process nor a notification wakes the relay. */
const pollMs = 500;
/**
 * While rows trickle in the relay rests after a pass for twice as long as that took, within these bounds: the
 * busier the machine, the more rows share a pass and its transactions.
 */
const restMs = { least: 6, most: 50 };
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
  const pass = createRelayPass({ ...options, leases });
  const offReconnect = nats.onReconnect(() => {
    pass.forget();
    alarm.ring();
  });
  const notifications = openOutboxNotifications({ service, config, log, onNotification: alarm.ring });
  const loops = Promise.all([
    relayLoop({ runOnce: pass.runOnce, alarm, clock, metrics, log, signal: stopping.signal }),
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

interface Alarm {
  ring(): void;
  /** Forgets earlier rings. */
  arm(): void;
  /** Until it rings, or `ms` have passed, or the relay stops. */
  wait(ms: number): Promise<void>;
  /** Like `wait`, but no ring ends it. */
  sleep(ms: number): Promise<void>;
}

function createAlarm(stopping: AbortSignal): Alarm {
  let rung = Promise.withResolvers<void>();
  const sleep = (ms: number, ended: AbortSignal) => delay(ms, undefined, { signal: ended }).catch(() => {});
  stopping.addEventListener('abort', () => rung.resolve(), { once: true });
  return {
    ring: () => rung.resolve(),
    arm() {
      rung = Promise.withResolvers();
    },
    async wait(ms) {
      const timer = new AbortController();
      await Promise.race([rung.promise, sleep(ms, timer.signal)]);
      timer.abort();
    },
    sleep: (ms) => sleep(ms, stopping),
  };
}

async function relayLoop(loop: {
  readonly runOnce: () => Promise<RelayPass>;
  readonly alarm: Alarm;
  readonly clock: Clock;
  readonly metrics: RelayMetrics;
  readonly log: Logger;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { alarm, clock, metrics, log, signal } = loop;
  let retryMs = heldRetryMs.first;
  let reason: string | undefined;
  while (!signal.aborted) {
    alarm.arm();
    const began = clock.monotonicMs();
    const { published, full, held } = await loop.runOnce();
    metrics.published.inc(published);
    metrics.held.set(held ? 1 : 0);
    const now = held && describeError(held);
    if (now !== undefined && now !== reason) log.warn({ reason: now }, 'events are held in the outbox');
    if (now === undefined && reason !== undefined) log.info('events flow again');
    reason = now;
    if (held && published === 0) {
      await alarm.sleep(retryMs);
      retryMs = Math.min(retryMs * 2, heldRetryMs.most);
      continue;
    }
    retryMs = heldRetryMs.first;
    if (full) continue;
    if (published === 0) await alarm.wait(pollMs);
    else await alarm.sleep(Math.min(restMs.most, Math.max(restMs.least, 2 * (clock.monotonicMs() - began))));
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
