import { type RawBuilder, sql } from 'kysely';
import { jsonText, type StoredPayload } from '../domain/payload.ts';

/** States in which a worker may write. */
export const liveStates = sql`('planning', 'running')`;
/** States in which a run has been begun or not, has not ended, and holds no worker. */
export const idleStates = sql`('waiting_input', 'paused')`;
/** States from which no run comes back. */
export const finalStates = sql`('completed', 'failed', 'cancelled', 'timed_out')`;

/**
 * A JSON parameter. Text is sent, since pg would take a JavaScript array for a Postgres one. Characters that
 * Postgres cannot store become U+FFFD.
 */
export function json(value: unknown): RawBuilder<unknown> {
  return sql`${value === undefined ? null : jsonText(value)}::text::jsonb`;
}

/** What a column keeps of a value: nothing of it when it is stored elsewhere. */
export function kept(value: unknown, stored: StoredPayload | null | undefined): unknown {
  return stored ? {} : value;
}

/** Milliseconds as an interval. */
export function interval(milliseconds: number): RawBuilder<unknown> {
  return sql`(${milliseconds}::float8 * interval '1 millisecond')`;
}
