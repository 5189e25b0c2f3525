import type { JsMsg } from '@nats-io/jetstream';
import type { Msg } from '@nats-io/transport-node';
import { headersToEnvelope } from '@swissbrain/service-kit/event-headers';
import type { Envelope } from '@swissbrain/shared-schema/events/envelope';
import { z } from 'zod';
import { redact } from './redact.ts';

/** An event as it was tapped; its data shows no secrets. */
export interface TappedEvent {
  readonly subject: string;
  /** Its number in the stream; null when it was heard live. */
  readonly streamSeq: number | null;
  readonly envelope: Envelope;
  readonly data: unknown;
}

/** A message on an event's subject that is not an event. */
export interface UnreadableMessage {
  readonly subject: string;
  readonly streamSeq: number | null;
  readonly problem: string;
}

/** Reads a message of the stream, or of a plain subscription. A malformed one is described, never thrown. */
export function decodeEvent(message: Msg | JsMsg): TappedEvent | UnreadableMessage {
  const { subject } = message;
  const streamSeq = 'seq' in message ? message.seq : null;
  try {
    return { subject, streamSeq, envelope: headersToEnvelope(message.headers), data: redact(message.json()) };
  } catch (error) {
    return { subject, streamSeq, problem: problemOf(error) };
  }
}

function problemOf(error: unknown): string {
  if (error instanceof z.ZodError) {
    const attributes = error.issues.map((issue) => issue.path.join('.'));
    return `missing or malformed: ${attributes.join(', ')}`;
  }
  return error instanceof Error ? error.message : String(error);
}

/** True for what could be read. */
export function isEvent(decoded: TappedEvent | UnreadableMessage): decoded is TappedEvent {
  return 'envelope' in decoded;
}
