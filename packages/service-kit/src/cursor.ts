import { uuid } from '@swissbrain/shared-schema/ids';
import { z } from 'zod';
import { kitErrors } from './errors.ts';

/** Query parameters of every list: `limit` 1 to 100 (default 20) and the cursor of the page before. */
export const pageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: z.string().min(1).max(200).optional(),
});
export type PageQuery = z.infer<typeof pageQuery>;

/** The last row of a page in `(created_at, id)` order. */
export interface CursorPosition {
  /** As Postgres prints it (`created_at::text`), to the microsecond: a `Date` would cut it and skip rows. */
  readonly createdAt: string;
  readonly id: string;
}

const timestamp = z
  .string()
  .regex(/^\d{4,6}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-](0\d|1[0-5])(:?[0-5]\d){0,2})$/)
  .refine(isOnTheCalendar);
const positionSchema = z.tuple([timestamp, uuid]);

/**
 * Makes the opaque cursor of a position. A `Date` is accepted for times known to the millisecond;
 * for rows take `created_at::text`.
 */
export function encodeCursor(position: { readonly createdAt: Date | string; readonly id: string }): string {
  const { createdAt, id } = position;
  const time = typeof createdAt === 'string' ? createdAt : createdAt.toISOString();
  return Buffer.from(JSON.stringify([time, id])).toString('base64url');
}

/**
 * Reads a cursor; `createdAt` can be given to Postgres as `timestamptz` as it is.
 * @throws AppError 400 `invalid_cursor`
 */
export function decodeCursor(text: string): CursorPosition {
  try {
    const [createdAt, id] = positionSchema.parse(JSON.parse(Buffer.from(text, 'base64url').toString('utf8')));
    return { createdAt, id };
  } catch {
    throw kitErrors.invalid_cursor('the cursor does not come from an earlier page of this list');
  }
}

/** Postgres refuses the 30th of February with an error that would look like one of ours. */
function isOnTheCalendar(text: string): boolean {
  const [year = 0, month = 0, day = 0, ...time] = text.split(/[-T :.Z+]/, 6).map(Number);
  const [hours = 0, minutes = 0, seconds = 0] = time;
  const date = new Date(Date.UTC(year, month - 1, day, hours, minutes, seconds));
  const read = [date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate(), date.getUTCHours()];
  return `${read}` === `${[year, month, day, hours]}` && minutes < 60 && seconds < 60;
}
