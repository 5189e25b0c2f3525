import {
  type ScheduleTiming,
  type ScheduleView,
  scheduleView,
} from '@swissbrain/shared-schema/http/scheduler';
import type { getSchedule } from '../operations/get-schedule.ts';

type Schedule = Awaited<ReturnType<typeof getSchedule>>;

/** A schedule as the API shows it. */
export function toView(row: Schedule): ScheduleView {
  return scheduleView.parse({
    ...row,
    timing: timingOf(row),
    starts_at: row.starts_at?.toISOString() ?? null,
    ends_at: row.ends_at?.toISOString() ?? null,
    next_run_at: row.next_run_at?.toISOString() ?? null,
    statistics: {
      fired: Number(row.run_count),
      succeeded: Number(row.succeeded_count),
      failed: Number(row.failed_count),
      skipped: Number(row.skipped_count),
      consecutive_failures: row.consecutive_failures,
      last_scheduled_for: row.last_scheduled_for?.toISOString() ?? null,
      last_status: row.last_status,
    },
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  });
}

/** @throws Error when the row breaks the constraint that each kind has its own columns */
function timingOf(row: Schedule): ScheduleTiming {
  const { kind, cron_expression, time_zone, interval_seconds, anchor_at, run_at } = row;
  if (kind === 'cron' && cron_expression !== null) return { kind, expression: cron_expression, time_zone };
  if (kind === 'interval' && interval_seconds !== null && anchor_at !== null) {
    return { kind, every_seconds: Number(interval_seconds), anchor_at: anchor_at.toISOString() };
  }
  if (kind === 'once' && run_at !== null) return { kind, run_at: run_at.toISOString() };
  throw new Error(`schedule ${row.id} has no timing of kind ${kind}`);
}
