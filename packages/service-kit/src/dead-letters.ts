import { type JsMsg, jetstream } from '@nats-io/jetstream';
import { headers } from '@nats-io/nats-core';
import { identifierOf } from '@swissbrain/shared-schema/ids';
import { describeError } from './errors.ts';
import type { Platform } from './platform.ts';
import { deadLetterStream } from './streams.ts';

/** Added to the original headers of a dead event. */
export const deadLetterHeaders = {
  error: 'sb-dlq-error',
  attempts: 'sb-dlq-attempts',
  subject: 'sb-dlq-subject',
  streamSeq: 'sb-dlq-stream-seq',
  consumer: 'sb-dlq-consumer',
  time: 'sb-dlq-time',
} as const;

const longestError = 2_000;

/** The consumer that a letter belongs to: the last word of its subject. */
export function consumerOf(letter: Pick<JsMsg, 'subject'>): string {
  return letter.subject.slice(letter.subject.lastIndexOf('.') + 1);
}

/** Where events go that a consumer cannot take: stream DLQ, subject `dlq.<service>.<durable>`. */
export function createDeadLetters(
  platform: Pick<Platform, 'nats' | 'service' | 'clock'>,
  consumer: string,
): { add(message: JsMsg, error: Error): Promise<void> } {
  const stream = jetstream(platform.nats, { timeout: 5_000 });
  const subject = `dlq.${identifierOf(platform.service)}.${consumer}`;
  return {
    /** Rejects when the letter was not stored: the event must not be acknowledged then. */
    async add(message, error) {
      const meta = headers();
      for (const [name, values] of message.headers ?? []) {
        // Reserved names are instructions to the server.
        if (!name.startsWith('Nats-')) for (const value of values) meta.append(name, value);
      }
      meta.set(
        deadLetterHeaders.error,
        describeError(error)
          .replaceAll(/[\r\n]+/g, ' ')
          .slice(0, longestError),
      );
      meta.set(deadLetterHeaders.attempts, String(message.info.deliveryCount));
      meta.set(deadLetterHeaders.subject, message.subject);
      meta.set(deadLetterHeaders.streamSeq, String(message.seq));
      meta.set(deadLetterHeaders.consumer, consumer);
      meta.set(deadLetterHeaders.time, platform.clock.now().toISOString());
      await stream.publish(subject, message.data, {
        headers: meta,
        msgID: `${consumer}:${message.headers?.get('ce-id') || message.seq}`,
        expect: { streamName: deadLetterStream },
      });
    },
  };
}
