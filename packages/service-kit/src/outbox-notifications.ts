import { setTimeout as delay } from 'node:timers/promises';
import { identifierOf, type ServiceName } from '@swissbrain/shared-schema/ids';
import { Client } from 'pg';
import type { BaseConfig } from './config.ts';
import { describeError } from './errors.ts';
import type { Logger } from './logger.ts';

/** Tells the relay of a service in other processes that rows wait. */
export interface OutboxNotifications {
  /** Sends one notification, or joins the one about to go; outside any transaction, since it is never lost work. */
  notify(): void;
  stop(): Promise<void>;
}

const reconnectMs = 1_000;
/** The channel on which a service's relay is woken. */
export const outboxChannel = (service: ServiceName) => `sb_outbox_${identifierOf(service)}`;

/**
 * One connection beside the pool, for LISTEN and NOTIFY. Through a pooler that does not pass LISTEN on it stays
 * silent and the relay's poll does the work.
 */
export function openOutboxNotifications(options: {
  readonly service: ServiceName;
  readonly config: BaseConfig;
  readonly log: Logger;
  readonly onNotification: () => void;
}): OutboxNotifications {
  const { service, config, log } = options;
  const stopping = new AbortController();
  let client: Client | undefined;
  let sending = false;
  let again = false;

  const listen = async (): Promise<void> => {
    const next = new Client({
      connectionString: config.DATABASE_URL,
      application_name: `swissbrain-${service}-listen`,
      keepAlive: true,
    });
    const { promise: lost, resolve } = Promise.withResolvers<void>();
    next.on('error', () => resolve());
    next.on('end', () => resolve());
    next.on('notification', () => options.onNotification());
    stopping.signal.addEventListener('abort', () => resolve(), { once: true });
    try {
      await next.connect();
      if (config.DATABASE_SESSION_ROLE)
        await next.query(`SET SESSION AUTHORIZATION "${config.DATABASE_SESSION_ROLE}"`);
      await next.query(`LISTEN ${outboxChannel(service)}`);
      client = next;
      // Rows may have come while nobody listened.
      options.onNotification();
      await lost;
    } finally {
      client = undefined;
      await next.end();
    }
  };
  const running = (async () => {
    while (!stopping.signal.aborted) {
      try {
        await listen();
      } catch (thrown) {
        log.debug({ reason: describeError(thrown) }, 'outbox notifications are not available, polling');
      }
      if (!stopping.signal.aborted)
        await delay(reconnectMs, undefined, { signal: stopping.signal }).catch(() => {});
    }
  })();

  const send = async (): Promise<void> => {
    sending = true;
    do {
      again = false;
      await client?.query(`NOTIFY ${outboxChannel(service)}`).catch((thrown: unknown) => {
        log.debug({ reason: describeError(thrown) }, 'outbox notification was not sent');
      });
    } while (again);
    sending = false;
  };
  return {
    notify() {
      if (sending) again = true;
      else void send();
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
