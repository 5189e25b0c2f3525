import { decodeCursor, type PageQuery } from '@swissbrain/service-kit/cursor';
import type { Database, Principal } from '@swissbrain/service-kit/database';
import { toPage } from '@swissbrain/service-kit/page';
import type { Page } from '@swissbrain/shared-schema/http/page';
import { type ScheduleRow, selectSchedules } from '../store/schedules.ts';

/**
 * One page of the caller's schedules.
 * @throws AppError 400 `invalid_cursor`
 */
export async function listSchedules(
  database: Database,
  principal: Principal,
  { cursor, limit }: PageQuery,
): Promise<Page<ScheduleRow>> {
  const after = cursor === undefined ? undefined : decodeCursor(cursor);
  const rows = await database.withUser(principal, (tx) => selectSchedules(tx, { after, limit: limit + 1 }));
  return toPage(rows, limit);
}
