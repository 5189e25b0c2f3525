import type { JsMsg } from '@nats-io/jetstream';
import type { BatchProcessor, ConsumerDefinition } from './consumer-definition.ts';
import { type CountOutcome, createFailureHandler } from './consumer-failures.ts';
import { type Delivery, onlyFresh, readEvent } from './consumer-inbox.ts';
import { mapDatabaseError } from './database-errors.ts';
import { AppError, kitErrors } from './errors.ts';
import { counter, durations } from './metrics.ts';
import type { Platform } from './platform.ts';
import { inSpan } from './trace-context.ts';

/**
 * Makes the function that takes one batch through: inbox and effect in a transaction, then acks. A batch that
 * fails is tried event by event, so that one bad event does not hold up the others.
 */
export function createBatchProcessor(
  platform: Platform,
  definition: ConsumerDefinition,
  name: string,
): BatchProcessor {
  const { database, metrics, service } = platform;
  const outcomes = counter(metrics, 'consumer_events_total', 'Events by what became of them', [
    'consumer',
    'outcome',
  ]);
  const seconds = durations(metrics, 'consumer_batch_seconds', 'Time of a batch in its transaction', [
    'consumer',
  ]);
  const count: CountOutcome = (outcome, events) => outcomes.inc({ consumer: name, outcome }, events);
  const fail = createFailureHandler(platform, definition, name, count);

  const takeEffect = async (deliveries: readonly Delivery[]): Promise<void> => {
    const end = seconds.startTimer({ consumer: name });
    const traceparent = deliveries[0]?.event.envelope.traceparent ?? null;
    const attributes = { 'messaging.batch.message_count': deliveries.length };
    const fresh = await inSpan(`consume ${name}`, 'consumer', traceparent, attributes, () =>
      database.withService(async (tx) => {
        const events = await onlyFresh(tx, service, name, deliveries);
        if (events.length > 0) await definition.handle(tx, events);
        return events.length;
      }),
    );
    end();
    for (const { message } of deliveries) message.ack();
    count('done', fresh);
    count('duplicate', deliveries.length - fresh);
  };
  /** No row in the inbox: the same fact, under the same id, is still to be handled. */
  const skip = (message: JsMsg): void => {
    message.ack();
    count('skipped', 1);
  };
  const readable = async (messages: readonly JsMsg[]): Promise<Delivery[]> => {
    const deliveries: Delivery[] = [];
    for (const message of messages) {
      try {
        const event = readEvent(definition, message);
        if (event) deliveries.push({ message, event });
        else skip(message);
      } catch (thrown) {
        await fail(message, thrown);
      }
    }
    return deliveries;
  };
  const oneByOne = async (deliveries: readonly Delivery[], failure: unknown): Promise<void> => {
    let failed = failure;
    for (const delivery of deliveries) {
      if (deliveries.length === 1 || concernsAll(failed)) await fail(delivery.message, failed);
      else {
        await takeEffect([delivery]).catch((own: unknown) => {
          failed = own;
          return fail(delivery.message, own);
        });
      }
    }
  };
  return async (messages) => {
    const deliveries = await readable(messages);
    if (deliveries.length === 0) return;
    try {
      await takeEffect(deliveries);
    } catch (thrown) {
      await oneByOne(deliveries, thrown);
    }
  };
}

/** The database is away: no event of the batch fares better alone, and trying each would only take longer. */
const outages: ReadonlySet<string> = new Set(
  [kitErrors.database_unavailable, kitErrors.database_timeout].map((error) => error('').code),
);

function concernsAll(thrown: unknown): boolean {
  const mapped = mapDatabaseError(thrown);
  return mapped instanceof AppError && outages.has(mapped.code);
}
