import type { NatsConnection } from '@nats-io/transport-node';
import { Gauge, type Registry } from 'prom-client';
import { describeError } from './errors.ts';
import type { Logger } from './logger.ts';
import { gauge } from './metrics.ts';
import { deadLetterStream, eventStream, streamManager } from './streams.ts';

/** On every scrape how full the streams are: at its limit a stream takes nothing more and the outbox holds. */
export function registerStreamMetrics(registry: Registry, connection: NatsConnection, log: Logger): void {
  const limit = gauge(registry, 'stream_limit_bytes', 'The most a stream may hold; -1 is no limit', [
    'stream',
  ]);
  const messages = gauge(registry, 'stream_messages', 'Messages in a stream', ['stream']);
  new Gauge({
    name: 'stream_bytes',
    help: 'What a stream holds',
    labelNames: ['stream'],
    registers: [registry],
    async collect() {
      try {
        const { streams } = await streamManager(connection);
        for (const stream of [eventStream, deadLetterStream]) {
          const { state, config } = await streams.info(stream);
          this.set({ stream }, state.bytes);
          messages.set({ stream }, state.messages);
          limit.set({ stream }, config.max_bytes);
        }
      } catch (thrown) {
        log.debug({ reason: describeError(thrown) }, 'the size of the streams could not be read');
      }
    },
  });
}
