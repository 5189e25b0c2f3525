import { findSchedule, selectSchedules } from '../../../services/scheduler/src/store/schedules.ts';
import { filledId } from '../filled.ts';
import { type Guards, statement, type Use } from './use.ts';

const store = 'services/scheduler/src/store';
const service = { service: 'scheduler' } as const;
const userId = filledId('user', 0);
const user = { ...service, userId } as const;
const task = filledId('task', 3);
const position = { createdAt: '2099-01-01T00:00:00Z', id: filledId('nobody', 0) };

/** Uses of the tables of schedules. */
export const scheduledTaskUses: readonly Use[] = [
  {
    by: 'GET /v1/schedules, further pages',
    file: `${store}/schedules.ts`,
    indexes: ['scheduled_tasks_list_idx'],
    as: user,
    run: ({ tx }) => selectSchedules(tx, { after: position, limit: 21 }),
  },
  {
    by: 'GET /v1/schedules/:id',
    file: `${store}/schedules.ts`,
    indexes: ['scheduled_tasks_pkey'],
    as: user,
    run: ({ tx }) => findSchedule(tx, task),
  },
  {
    by: 'POST /v1/schedules: the same key again',
    indexes: ['scheduled_tasks_idempotency_key'],
    as: user,
    run: statement(`SELECT id FROM scheduled_tasks WHERE user_id = $1 AND idempotency_key = 'key-1'`, userId),
  },
  {
    by: 'what is due',
    indexes: ['scheduled_tasks_due_idx'],
    as: service,
    run: statement(
      `SELECT id FROM scheduled_tasks WHERE status = 'active' AND next_fire_at <= now()
       ORDER BY next_fire_at LIMIT 50 FOR UPDATE SKIP LOCKED`,
    ),
  },
  {
    by: 'retention: what was archived long ago',
    indexes: ['scheduled_tasks_archived_idx'],
    as: service,
    run: statement(
      `SELECT id FROM scheduled_tasks WHERE status = 'archived' AND updated_at < now() - interval '30 days' LIMIT 50`,
    ),
  },
  {
    by: 'GET /v1/schedules/:id/runs, and all runs of a user',
    indexes: ['scheduled_task_runs_pkey', 'scheduled_task_runs_list_idx'],
    as: user,
    run: async ({ query }) => {
      await query(
        'SELECT id, status FROM scheduled_task_runs WHERE task_id = $1 ORDER BY scheduled_for DESC LIMIT 21',
        [task],
      );
      await query(
        'SELECT id, status FROM scheduled_task_runs WHERE user_id = $1 ORDER BY scheduled_for DESC LIMIT 21',
        [userId],
      );
    },
  },
  {
    by: 'GET /v1/schedule-runs/:id',
    indexes: ['scheduled_task_runs_id_idx'],
    as: user,
    run: statement('SELECT * FROM scheduled_task_runs WHERE id = $1', filledId('firing', 1)),
  },
  {
    by: 'the end of a run or research: the firing that started it',
    indexes: ['scheduled_task_runs_target_idx'],
    as: service,
    run: statement(
      'SELECT task_id, scheduled_for FROM scheduled_task_runs WHERE target_id = $1',
      filledId('fired run', 1),
    ),
  },
  {
    by: 'overlap: does an earlier firing still run?',
    indexes: ['scheduled_task_runs_open_idx'],
    as: service,
    run: statement(
      `SELECT scheduled_for FROM scheduled_task_runs WHERE task_id = $1 AND status IN ('queued', 'fired')`,
      filledId('task', 10),
    ),
  },
  {
    by: 'firings of which nothing was heard again',
    indexes: ['scheduled_task_runs_stuck_idx'],
    as: service,
    run: statement(
      `SELECT task_id FROM scheduled_task_runs WHERE status = 'fired' AND fired_at < now() - interval '50 days'
       ORDER BY fired_at LIMIT 50`,
    ),
  },
];

/** What the unique indexes of schedules keep apart that no query uses. */
export const scheduledTaskGuards: Guards = {
  scheduled_tasks_id_user_key: 'firings name the schedule with its user',
};
