import { setTimeout as delay } from 'node:timers/promises';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { inboxPrefix } from '@swissbrain/shared-schema/nats-permissions';
import { systemClock } from './clock.ts';
import type { BaseConfig } from './config.ts';
import { describeError } from './errors.ts';
import type { Logger } from './logger.ts';

type NatsConfig = Pick<BaseConfig, 'NATS_URL' | 'NATS_USER' | 'NATS_PASSWORD'>;

/** A connection that comes back whatever happens, and what happened to it. */
export interface Nats {
  readonly connection: NatsConnection;
  /** False from the loss of the server until it is back. */
  isConnected(): boolean;
  /** Calls `listener` after every reconnection; returns the undo. */
  onReconnect(listener: () => void): () => void;
  /** Calls `listener` when the server is lost: whatever is unanswered then stays so. Returns the undo. */
  onDisconnect(listener: () => void): () => void;
}

const firstConnectMs = 30_000;
const retryMs = 250;

/**
 * Connects to NATS, trying for 30 seconds, and from then on reconnects for ever.
 * @throws Error when no server was reached
 */
export async function connectNats(service: string, config: NatsConfig, log: Logger): Promise<Nats> {
  const connection = await firstConnection(service, config, log);
  const reconnectListeners = new Set<() => void>();
  const disconnectListeners = new Set<() => void>();
  let connected = true;
  void (async () => {
    for await (const status of connection.status()) {
      if (status.type === 'disconnect') {
        connected = false;
        log.warn('NATS connection lost');
        for (const listener of disconnectListeners) listener();
      } else if (status.type === 'reconnect') {
        connected = true;
        log.info('NATS connection is back');
        for (const listener of reconnectListeners) listener();
      } else if (status.type === 'error') {
        log.warn({ err: status.error }, 'NATS reports an error');
      }
    }
    connected = false;
  })();
  return {
    connection,
    isConnected: () => connected,
    onReconnect: (listener) => addTo(reconnectListeners, listener),
    onDisconnect: (listener) => addTo(disconnectListeners, listener),
  };
}

function addTo(listeners: Set<() => void>, listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

async function firstConnection(service: string, config: NatsConfig, log: Logger): Promise<NatsConnection> {
  const until = systemClock.monotonicMs() + firstConnectMs;
  for (;;) {
    try {
      return await connect({
        servers: config.NATS_URL.split(',').map((server) => server.trim()),
        name: `swissbrain-${service}`,
        ...(config.NATS_USER ? { user: config.NATS_USER, pass: config.NATS_PASSWORD ?? '' } : {}),
        // Answers come where no other user of the server may listen.
        inboxPrefix: inboxPrefix(service),
        timeout: 5_000,
        maxReconnectAttempts: -1,
        reconnectTimeWait: retryMs,
        reconnectJitter: 100,
        ignoreAuthErrorAbort: true,
        pingInterval: 15_000,
        maxPingOut: 2,
        noAsyncTraces: true,
      });
    } catch (thrown) {
      if (systemClock.monotonicMs() > until) {
        throw new Error(`cannot reach NATS: ${describeError(thrown)}`, { cause: thrown });
      }
      log.debug({ reason: describeError(thrown) }, 'NATS is not there yet');
      await delay(retryMs);
    }
  }
}
