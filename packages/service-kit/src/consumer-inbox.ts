import type { JsMsg } from '@nats-io/jetstream';
import type { ReceivedEvent } from '@swissbrain/shared-schema/events/envelope';
import { sql } from 'kysely';
import { z } from 'zod';
import type { ConsumerDefinition } from './consumer-definition.ts';
import type { Tx } from './database.ts';
import { describeError } from './errors.ts';
import { headersToEnvelope } from './event-headers.ts';

/** A message with the event it carries. */
export interface Delivery {
  readonly message: JsMsg;
  readonly event: ReceivedEvent<unknown>;
}

/** Not an event that this consumer can read, now or ever. */
export class UnreadableEvent extends Error {
  override readonly name = 'UnreadableEvent';
}

/**
 * Parses envelope and data of a message. An earlier version becomes the one of the handler where the definition says
 * how; a later one is null when the same fact comes as the handler's version too.
 * @throws UnreadableEvent when they are malformed, or of another type, or of a version of which nothing is known
 */
export function readEvent(
  definition: Pick<ConsumerDefinition, 'event' | 'earlier'>,
  message: JsMsg,
): ReceivedEvent<unknown> | null {
  const { event, earlier = [] } = definition;
  try {
    const envelope = headersToEnvelope(message.headers);
    const { type, version, also_versions: also } = envelope;
    if (type !== event.type) throw new UnreadableEvent(`expected ${event.type}, got ${type}`);
    if (version > event.version && also?.includes(event.version)) return null;
    const taken = earlier.find((other) => other.event.version === version);
    if (!taken && version !== event.version)
      throw new UnreadableEvent(
        `expected ${type} version ${event.version}, got ${type} version ${version}, which is unknown here`,
      );
    const json: unknown = JSON.parse(message.string());
    const data = taken ? taken.toCurrent(taken.event.data.parse(json)) : json;
    return { envelope, data: event.data.parse(data) };
  } catch (thrown) {
    if (thrown instanceof UnreadableEvent) throw thrown;
    throw new UnreadableEvent(thrown instanceof z.ZodError ? z.prettifyError(thrown) : describeError(thrown));
  }
}

/** Writes the inbox in `tx` and returns the events that were not in it, in the order they were delivered. */
export async function onlyFresh(
  tx: Tx,
  source: string,
  consumer: string,
  deliveries: readonly Delivery[],
): Promise<ReceivedEvent<unknown>[]> {
  // In one order for all, so that two replicas with the same events wait for each other instead of deadlocking.
  const keys = deliveries.map(({ event }) => event.envelope).sort((a, b) => (a.id < b.id ? -1 : 1));
  const inserted = await sql<{ event_id: string }>`
    INSERT INTO event_inbox (source, consumer, event_id, event_time)
    SELECT ${source}, ${consumer}, e.id, e.time
    FROM unnest(${keys.map(({ id }) => id)}::uuid[], ${keys.map(({ time }) => time)}::timestamptz[]) AS e (id, time)
    ON CONFLICT DO NOTHING
    RETURNING event_id`.execute(tx);
  const fresh = new Set(inserted.rows.map((row) => row.event_id));
  return deliveries.map(({ event }) => event).filter(({ envelope }) => fresh.delete(envelope.id));
}
