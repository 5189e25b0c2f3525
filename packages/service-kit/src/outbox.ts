import { type EventDefinition, maxEventBytes } from '@swissbrain/shared-schema/events/envelope';
import { sql } from 'kysely';
import { markOutboxAppend, type Tx } from './database-transaction.ts';
import { kitErrors } from './errors.ts';

/** A fact to publish, appended in the transaction that makes it true. */
export interface NewEvent<D> {
  readonly definition: EventDefinition;
  readonly aggregateId: string;
  /** The aggregate's own number, taken under its row lock: it is the order of the aggregate's events. */
  readonly aggregateSeq: bigint;
  readonly userId: string;
  /** The run for run, step, artifact and a run's credit events, else the user. */
  readonly rootId: string;
  readonly runId?: string | null;
  readonly runSeq?: bigint | null;
  readonly data: D;
}

/**
 * Appends events in one INSERT; the relay publishes them once the transaction has committed.
 * @throws ZodError when data does not fit its definition
 * @throws AppError `event_too_large` when an event's data exceeds 64 KiB: store it and send a reference
 */
export async function appendEvents(tx: Tx, events: readonly NewEvent<unknown>[]): Promise<void> {
  if (events.length === 0) return;
  const rows = JSON.stringify(events.map(toRow));
  await sql`
    INSERT INTO event_outbox (source, aggregate_type, aggregate_id, aggregate_seq, type, version,
                              user_id, root_id, run_id, run_seq, data)
    SELECT e.source, e.aggregate_type, e.aggregate_id, e.aggregate_seq, e.type, e.version,
           e.user_id, e.root_id, e.run_id, e.run_seq, e.data
    FROM jsonb_to_recordset(${rows}::jsonb) AS e (source text, aggregate_type text, aggregate_id uuid,
      aggregate_seq bigint, type text, version int, user_id uuid, root_id uuid, run_id uuid, run_seq bigint, data jsonb)
  `.execute(tx);
}

/** For statements that append events inside a function or trigger: wakes the relay after the commit. */
export function wakeRelay(tx: Tx): void {
  markOutboxAppend(tx);
}

function toRow(event: NewEvent<unknown>) {
  const { definition } = event;
  const data: unknown = definition.data.parse(event.data);
  const bytes = Buffer.byteLength(JSON.stringify(data));
  if (bytes > maxEventBytes) {
    throw kitErrors.event_too_large(
      `the data of ${definition.type} has ${bytes} bytes, at most ${maxEventBytes} may travel`,
    );
  }
  return {
    source: definition.source,
    aggregate_type: definition.aggregate,
    aggregate_id: event.aggregateId,
    aggregate_seq: event.aggregateSeq.toString(),
    type: definition.type,
    version: definition.version,
    user_id: event.userId,
    root_id: event.rootId,
    run_id: event.runId ?? null,
    run_seq: event.runSeq?.toString() ?? null,
    data,
  };
}
