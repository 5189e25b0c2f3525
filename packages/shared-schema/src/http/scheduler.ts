import { z } from 'zod';
import { uuid } from '../ids.ts';
import { pageOf, timestamp } from './page.ts';

const count = z.number().int().nonnegative();

/** When a schedule fires: by cron expression in a time zone, at whole intervals from an anchor, or once. */
export const scheduleTiming = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('cron'), expression: z.string(), time_zone: z.string() }),
  z.object({ kind: z.literal('interval'), every_seconds: z.number().int().positive(), anchor_at: timestamp }),
  z.object({ kind: z.literal('once'), run_at: timestamp }),
]);
export type ScheduleTiming = z.infer<typeof scheduleTiming>;

export const scheduleView = z.object({
  id: uuid,
  name: z.string(),
  description: z.string(),
  timing: scheduleTiming,
  target_kind: z.enum(['run', 'research']),
  /** The body that starts the run or research. */
  target: z.record(z.string(), z.unknown()),
  overlap_policy: z.enum(['skip', 'queue_one', 'allow', 'cancel_previous']),
  catch_up_policy: z.enum(['skip', 'latest', 'all']),
  catch_up_window_seconds: count,
  jitter_seconds: count,
  starts_at: timestamp.nullable(),
  ends_at: timestamp.nullable(),
  status: z.enum(['active', 'paused', 'completed', 'errored']),
  /** Why and by whom it is not active. */
  status_reason: z.string().nullable(),
  status_by: z.enum(['user', 'system']).nullable(),
  /** Nominal time of the next slot. */
  next_run_at: timestamp.nullable(),
  statistics: z.object({
    fired: count,
    succeeded: count,
    failed: count,
    skipped: count,
    consecutive_failures: count,
    last_scheduled_for: timestamp.nullable(),
    last_status: z.string().nullable(),
  }),
  created_at: timestamp,
  updated_at: timestamp,
});
export type ScheduleView = z.infer<typeof scheduleView>;

export const schedulePage = pageOf(scheduleView);
export const scheduleParams = z.object({ id: uuid });
