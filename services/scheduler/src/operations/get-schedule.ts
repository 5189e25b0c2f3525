import type { Database, Principal } from '@swissbrain/service-kit/database';
import { errors } from '../errors.ts';
import { findSchedule, type ScheduleRow } from '../store/schedules.ts';

/**
 * One of the caller's schedules.
 * @throws AppError 404 `schedule_not_found`
 */
export async function getSchedule(
  database: Database,
  principal: Principal,
  id: string,
): Promise<ScheduleRow> {
  const row = await database.withUser(principal, (tx) => findSchedule(tx, id));
  if (!row) throw errors.schedule_not_found(`there is no schedule ${id}`);
  return row;
}
