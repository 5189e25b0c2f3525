import { type Counter, Gauge, type Registry } from 'prom-client';
import type { Database } from './database.ts';
import { describeError } from './errors.ts';
import type { Logger } from './logger.ts';
import { counter, gauge } from './metrics.ts';
import { readBacklog } from './outbox-store.ts';

export interface RelayMetrics {
  readonly published: Counter;
  readonly held: Gauge;
  readonly shards: Gauge;
}

/** What the relay did, and on every scrape what waits: the one number that tells whether events flow. */
export function createRelayMetrics(registry: Registry, database: Database, log: Logger): RelayMetrics {
  const age = gauge(registry, 'outbox_oldest_seconds', 'Age of the oldest unpublished event', []);
  if (!registry.getSingleMetric('outbox_backlog_rows')) {
    new Gauge({
      name: 'outbox_backlog_rows',
      help: 'Unpublished events, counted up to 10,000',
      registers: [registry],
      async collect() {
        try {
          const backlog = await readBacklog(database);
          this.set(backlog.rows);
          age.set(backlog.oldestSeconds);
        } catch (thrown) {
          log.debug({ reason: describeError(thrown) }, 'the backlog could not be read');
        }
      },
    });
  }
  return {
    published: counter(registry, 'outbox_published_total', 'Events put on the stream', []),
    held: gauge(registry, 'outbox_held', '1 while events cannot be published', []),
    shards: gauge(registry, 'outbox_shards_held', 'Shards leased by this process', []),
  };
}
