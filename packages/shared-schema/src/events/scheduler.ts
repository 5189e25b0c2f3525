import { z } from 'zod';
import { uuid } from '../ids.ts';
import { defineEvent } from './envelope.ts';

/** Events about one schedule; their order is the schedule's own sequence. */
const scheduleEvent = <Shape extends z.ZodRawShape>(type: `${string}.${string}`, shape: Shape) =>
  defineEvent({
    type,
    version: 1,
    source: 'scheduler',
    aggregate: 'schedule',
    data: z.object({ schedule_id: uuid, name: z.string(), ...shape }),
  });

/** Nominal time of the slot: what the schedule says, however late the firing is. */
const slot = { scheduled_for: z.iso.datetime({ offset: true }) };
const target = {
  target_kind: z.enum(['run', 'research']),
  /** The run or research to start, chosen by the scheduler, so that a repeated firing starts one. */
  target_id: uuid,
};

/** Asks for a run or a research. `target` is the body that a person would send to start it. */
export const scheduleFired = scheduleEvent('schedule.fired', {
  ...slot,
  ...target,
  cause: z.enum(['schedule', 'catch_up', 'manual', 'backfill']),
  target: z.record(z.string(), z.json()),
  /** Runs of earlier slots to cancel first, when that is how the schedule treats overlap. */
  cancel_target_ids: z.array(uuid),
});
/** A slot passed without firing, and why. */
export const scheduleSkipped = scheduleEvent('schedule.skipped', {
  ...slot,
  reason: z.enum(['overlap', 'missed_window', 'paused', 'no_credits']),
});
export const schedulePaused = scheduleEvent('schedule.paused', {
  reason: z.string(),
  paused_by: z.enum(['user', 'system']),
  consecutive_failures: z.number().int().nonnegative(),
});
export const scheduleSucceeded = scheduleEvent('schedule.succeeded', { ...slot, ...target });
export const scheduleFailed = scheduleEvent('schedule.failed', {
  ...slot,
  ...target,
  error: z.object({ code: z.string(), message: z.string() }),
  consecutive_failures: z.number().int().nonnegative(),
});

export const schedulerEvents = [
  scheduleFired,
  scheduleSkipped,
  schedulePaused,
  scheduleSucceeded,
  scheduleFailed,
] as const;
