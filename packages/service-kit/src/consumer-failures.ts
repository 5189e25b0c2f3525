import type { JsMsg } from '@nats-io/jetstream';
import type { ConsumerDefinition } from './consumer-definition.ts';
import { UnreadableEvent } from './consumer-inbox.ts';
import { mapDatabaseError } from './database-errors.ts';
import { createDeadLetters } from './dead-letters.ts';
import { AppError, describeError, toError } from './errors.ts';
import type { Platform } from './platform.ts';

/** What became of events, for the metrics. */
export type CountOutcome = (
  outcome: 'done' | 'duplicate' | 'skipped' | 'retried' | 'dead',
  events: number,
) => void;

/**
 * Makes the function that settles a failed event: again after its backoff, or to the dead letters when it has
 * had its attempts or no attempt can help. An event is acknowledged only once its letter is stored.
 */
export function createFailureHandler(
  platform: Platform,
  definition: ConsumerDefinition,
  name: string,
  count: CountOutcome,
): (message: JsMsg, thrown: unknown) => Promise<void> {
  const { log } = platform;
  const { backoffMs, maxAttempts } = definition;
  const deadLetters = createDeadLetters(platform, name);

  const retryLater = (message: JsMsg): void => {
    const turn = Math.min(message.info.deliveryCount, backoffMs.length) - 1;
    message.nak(backoffMs[turn] ?? 1_000);
    count('retried', 1);
  };
  const bury = async (message: JsMsg, error: Error): Promise<void> => {
    try {
      await deadLetters.add(message, error);
    } catch (thrown) {
      log.warn({ consumer: name, reason: describeError(thrown) }, 'dead event could not be stored, it stays');
      retryLater(message);
      return;
    }
    message.ack();
    count('dead', 1);
    log.error({ consumer: name, subject: message.subject, seq: message.seq, err: error }, 'event is dead');
  };
  return async (message, thrown) => {
    const error = toError(mapDatabaseError(thrown));
    const attempt = message.info.deliveryCount;
    const retry = error instanceof AppError ? error.retry : undefined;
    const hopeless = retry === 'never' || error instanceof UnreadableEvent;
    if (hopeless || (retry !== 'later' && attempt >= maxAttempts)) {
      await bury(message, error);
      return;
    }
    const reason = describeError(error);
    log.warn({ consumer: name, seq: message.seq, attempt, reason }, 'event failed, tried again later');
    retryLater(message);
  };
}
