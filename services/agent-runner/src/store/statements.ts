import { type RawBuilder, sql } from 'kysely';

/** States in which a worker may write. */
export const liveStates = sql`('planning', 'running')`;
/** States in which a run has been begun or not, has not ended, and holds no worker. */
export const idleStates = sql`('waiting_input', 'paused')`;
/** States from which no run comes back. */
export const finalStates = sql`('completed', 'failed', 'cancelled', 'timed_out')`;

/** Postgres stores neither U+0000 nor half of a surrogate pair; both are escaped by JSON.stringify, and rare. */
const unstorable = /\\u0000|\\ud[89a-f]/;

function storable(_key: string, value: unknown): unknown {
  return typeof value === 'string' ? value.replaceAll('\0', '\ufffd').toWellFormed() : value;
}

/**
 * A JSON parameter. Text is sent, since pg would take a JavaScript array for a Postgres one. Characters that
 * Postgres cannot store become U+FFFD.
 */
export function json(value: unknown): RawBuilder<unknown> {
  const text = JSON.stringify(value);
  return sql`${unstorable.test(text) ? JSON.stringify(value, storable) : text}::text::jsonb`;
}

/** Milliseconds as an interval. */
export function interval(milliseconds: number): RawBuilder<unknown> {
  return sql`(${milliseconds}::float8 * interval '1 millisecond')`;
}
