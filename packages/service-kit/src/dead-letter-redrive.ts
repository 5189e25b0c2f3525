import type { JsMsg } from '@nats-io/jetstream';
import { durableName } from '@swissbrain/shared-schema/events/consumers';
import type { RedriveView } from '@swissbrain/shared-schema/http/dead-letters';
import type { ConsumerDefinition } from './consumer-definition.ts';
import { onlyFresh, readEvent, UnreadableEvent } from './consumer-inbox.ts';
import { mapDatabaseError } from './database-errors.ts';
import type { DeadLetterStore } from './dead-letter-store.ts';
import { consumerOf } from './dead-letters.ts';
import { AppError, describeError, kitErrors } from './errors.ts';
import { headersToEnvelope } from './event-headers.ts';
import type { Platform } from './platform.ts';
import { inSpan } from './trace-context.ts';

/**
 * Makes the function that gives a dead event to its consumer once more, then removes the letter. The event goes
 * to that consumer alone and through its inbox: what failed left no row there, so it takes effect now, and
 * what has taken effect in the meantime does not take effect twice. It is not published again: a consumer has no
 * right to the subjects of others, and whoever else listens (taps, followers, consumers whose inbox rows have
 * gone with their month) would see a fact of the past as a new one.
 * @throws AppError from the function, and the letter stays: 404 `dead_letter_not_found`; 409
 *   `dead_letter_consumer_gone`, `redrive_failed` with the reason; what says `later` as it is
 */
export function createRedrive(
  platform: Pick<Platform, 'service' | 'database'>,
  definitions: readonly ConsumerDefinition[],
  letters: DeadLetterStore,
): (sequence: number) => Promise<RedriveView> {
  const { service, database } = platform;
  const byName = new Map(
    definitions.map((definition) => [durableName(service, definition.durable), definition]),
  );

  const takeEffect = async (letter: JsMsg, definition: ConsumerDefinition, consumer: string) => {
    const event = readEvent(definition, letter);
    if (event === null) {
      const { id } = headersToEnvelope(letter.headers);
      return { event_id: id, outcome: 'duplicate' as const };
    }
    const { id, traceparent } = event.envelope;
    const fresh = await inSpan(`redrive ${consumer}`, 'consumer', traceparent, {}, () =>
      database.withService(async (tx) => {
        const events = await onlyFresh(tx, service, consumer, [{ message: letter, event }]);
        if (events.length > 0) await definition.handle(tx, events);
        return events.length > 0;
      }),
    );
    return { event_id: id, outcome: fresh ? ('done' as const) : ('duplicate' as const) };
  };
  return async (sequence) => {
    const letter = await letters.get(sequence);
    const consumer = consumerOf(letter);
    const definition = byName.get(consumer);
    if (!definition) {
      throw kitErrors.dead_letter_consumer_gone(`this service has no consumer ${consumer} any more`);
    }
    const effect = await takeEffect(letter, definition, consumer).catch(refuse);
    // When this fails the letter stays, and the next redrive finds that nothing is left to do.
    await letters.drop(sequence).catch(whenGone);
    return { sequence, consumer, ...effect };
  };
}

function refuse(thrown: unknown): never {
  const error = mapDatabaseError(thrown);
  if (error instanceof AppError && error.retry === 'later') throw error;
  const reason = error instanceof UnreadableEvent ? error.message : describeError(error);
  throw kitErrors.redrive_failed(`the event failed again: ${reason}`);
}

function whenGone(thrown: unknown): void {
  if (!(thrown instanceof AppError) || thrown.code !== 'dead_letter_not_found') throw thrown;
}
