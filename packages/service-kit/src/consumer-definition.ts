import type { JsMsg } from '@nats-io/jetstream';
import type { EventDefinition, ReceivedEvent } from '@swissbrain/shared-schema/events/envelope';
import type { Tx } from './database.ts';
import type { Gather } from './gather.ts';

/** An earlier version of an event, and how its data becomes that of the version which the handler knows. */
export interface TakenVersion {
  readonly event: EventDefinition;
  toCurrent(data: unknown): unknown;
}

/** What a service does about one kind of event. */
export interface ConsumerDefinition<Data = unknown> {
  /** Names the durable consumer, together with the service. Another name starts from the oldest event again. */
  readonly durable: string;
  readonly event: EventDefinition;
  /** Earlier versions of `event` that it takes as well: whoever moves to a new version does, while both are published. */
  readonly earlier?: readonly TakenVersion[];
  /** Messages in flight: so many batches of `batch` run side by side, at least one. */
  readonly concurrency: number;
  /** At most so many events share a transaction; it takes what is there and does not wait for more. */
  readonly batch: number;
  /** For effects that nobody waits for, or seldom. Without it there is a rest between batches under load alone. */
  readonly gather?: Gather;
  /** Without an answer for so long the server delivers again, here or to another replica. */
  readonly ackWaitMs: number;
  /** Waits before the next tries of an event that failed; the last one repeats. */
  readonly backoffMs: readonly number[];
  /** After so many deliveries a failing event is dead; failures with retry `later` do not count. */
  readonly maxAttempts: number;
  /**
   * Takes effect in `tx`, together with the note that these events are done. It sees each event once, in no
   * order it may rely on across deliveries.
   */
  handle(tx: Tx, events: readonly ReceivedEvent<Data>[]): Promise<void>;
}

/** Settles every message of a batch by ack or nak; never rejects. */
export type BatchProcessor = (messages: readonly JsMsg[]) => Promise<void>;
