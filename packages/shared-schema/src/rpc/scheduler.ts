import { z } from 'zod';
import { scheduleTiming } from '../http/scheduler.ts';
import { uuid } from '../ids.ts';
import { defineRpc } from './definition.ts';

const schedule = z.object({
  schedule_id: uuid,
  name: z.string(),
  timing: scheduleTiming,
  status: z.string(),
  next_run_at: z.iso.datetime({ offset: true }).nullable(),
});

/** Makes a schedule of this user that starts runs of a goal; the idempotency key makes a repeat find the first. */
export const createSchedule = defineRpc({
  service: 'scheduler',
  method: 'create',
  request: z.object({
    user_id: uuid,
    name: z.string().min(1).max(200),
    timing: scheduleTiming,
    /** The body of the run, as a person would send it. */
    target: z.record(z.string(), z.json()),
  }),
  response: schedule,
  timeoutMs: 10_000,
});

/** The schedules of this user that are not archived, at most 100, the next to fire first. */
export const listSchedules = defineRpc({
  service: 'scheduler',
  method: 'list',
  request: z.object({ user_id: uuid }),
  response: z.object({ schedules: z.array(schedule) }),
  timeoutMs: 10_000,
});

/** Pauses a schedule of this user; harmless when it is paused. */
export const pauseSchedule = defineRpc({
  service: 'scheduler',
  method: 'pause',
  request: z.object({ user_id: uuid, schedule_id: uuid, reason: z.string().max(500) }),
  response: schedule,
  timeoutMs: 10_000,
});
