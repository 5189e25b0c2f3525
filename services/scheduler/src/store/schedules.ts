import type { CursorPosition } from '@swissbrain/service-kit/cursor';
import type { Tx } from '@swissbrain/service-kit/database';
import type { ScheduledTasksTable } from '@swissbrain/shared-schema/db/scheduler';
import { type Selectable, sql } from 'kysely';

const columns = [
  'id',
  'name',
  'description',
  'kind',
  'cron_expression',
  'time_zone',
  'interval_seconds',
  'anchor_at',
  'run_at',
  'target_kind',
  'target',
  'overlap_policy',
  'catch_up_policy',
  'catch_up_window_seconds',
  'jitter_seconds',
  'starts_at',
  'ends_at',
  'status',
  'status_reason',
  'status_by',
  'next_run_at',
  'run_count',
  'succeeded_count',
  'failed_count',
  'skipped_count',
  'consecutive_failures',
  'last_scheduled_for',
  'last_status',
  'created_at',
  'updated_at',
] as const;
const selected = sql`${sql.join(columns.map((column) => sql.ref(column)))}, created_at::text AS position`;

/** A schedule as its row holds it. */
export interface ScheduleRow extends Pick<Selectable<ScheduledTasksTable>, (typeof columns)[number]> {
  /** `created_at` to the microsecond, for the cursor. */
  readonly position: string;
}

/** Up to `limit` schedules after a position, newest first; archived ones are gone for their user. */
export async function selectSchedules(
  tx: Tx,
  { after, limit }: { after: CursorPosition | undefined; limit: number },
): Promise<ScheduleRow[]> {
  const onward = after
    ? sql`AND (created_at, id) < (${after.createdAt}::timestamptz, ${after.id}::uuid)`
    : sql``;
  const { rows } = await sql<ScheduleRow>`
    SELECT ${selected} FROM public.scheduled_tasks
    WHERE status <> 'archived' ${onward}
    ORDER BY created_at DESC, id DESC
    LIMIT ${limit}`.execute(tx);
  return rows;
}

/** The schedule, or undefined when there is none that this transaction may see or it is archived. */
export async function findSchedule(tx: Tx, id: string): Promise<ScheduleRow | undefined> {
  const { rows } = await sql<ScheduleRow>`
    SELECT ${selected} FROM public.scheduled_tasks WHERE id = ${id} AND status <> 'archived'`.execute(tx);
  return rows[0];
}
