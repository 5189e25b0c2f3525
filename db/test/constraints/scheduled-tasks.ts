import { alice, bob, type ConstrainedTables, first, implied, nobody, now, second, task } from './table.ts';

const slot = '2026-01-01T00:00:00Z';
const laterSlot = '2026-01-01T00:01:00Z';

export const scheduledTasks: ConstrainedTables = {
  'public.scheduled_tasks': {
    row: {
      id: task,
      user_id: alice,
      name: 'a',
      idempotency_key: 'a',
      kind: 'interval',
      interval_seconds: '60',
      anchor_at: slot,
      target_kind: 'run',
      target: '{}',
    },
    second: { id: first, idempotency_key: 'b' },
    required: `id user_id name description kind time_zone target_kind target overlap_policy catch_up_policy
      catch_up_window_seconds jitter_seconds status revision run_count succeeded_count failed_count skipped_count
      consecutive_failures event_seq created_at updated_at`,
    violations: {
      scheduled_tasks_pkey: [{ id: task }],
      scheduled_tasks_id_user_key: implied,
      scheduled_tasks_idempotency_key: [{ idempotency_key: 'a' }],
      scheduled_tasks_catch_up_policy_known: [{ catch_up_policy: 'some' }],
      scheduled_tasks_catch_up_window_natural: [{ catch_up_window_seconds: '-1' }],
      scheduled_tasks_ends_after_start: [{ starts_at: slot, ends_at: slot }],
      scheduled_tasks_fire_after_slot: [{ next_run_at: laterSlot, next_fire_at: slot }],
      scheduled_tasks_fire_time_whole: [{ next_run_at: slot }, { next_fire_at: slot }],
      scheduled_tasks_idempotency_key_length: [{ idempotency_key: '' }, { idempotency_key: 'k'.repeat(201) }],
      scheduled_tasks_interval_positive: [{ interval_seconds: '0' }],
      scheduled_tasks_jitter_range: [{ jitter_seconds: '-1' }, { jitter_seconds: '86401' }],
      scheduled_tasks_kind_known: [{ kind: 'whim', interval_seconds: null, anchor_at: null }],
      scheduled_tasks_max_consecutive_failures_positive: [{ max_consecutive_failures: '0' }],
      scheduled_tasks_name_length: [{ name: '' }, { name: 'n'.repeat(201) }],
      scheduled_tasks_overlap_policy_known: [{ overlap_policy: 'some' }],
      scheduled_tasks_revision_positive: [{ revision: '0' }],
      scheduled_tasks_status_by_known: [{ status_by: 'nobody' }],
      scheduled_tasks_status_known: [{ status: 'lost' }],
      scheduled_tasks_target_kind_known: [{ target_kind: 'mail' }],
      scheduled_tasks_target_object: [{ target: '[]' }],
      scheduled_tasks_when_fits_kind: [
        { cron_expression: '* * * * *' },
        { interval_seconds: null },
        { anchor_at: null },
        { run_at: slot },
      ],
    },
    foreignKeys: { scheduled_tasks_user_fkey: { broken: [{ user_id: nobody }], onDelete: 'cascades' } },
  },
  'public.scheduled_task_runs': {
    row: {
      id: first,
      task_id: task,
      user_id: alice,
      scheduled_for: slot,
      status: 'queued',
      target_kind: 'run',
    },
    second: { id: second, scheduled_for: laterSlot },
    required: 'id task_id user_id scheduled_for cause status target_kind created_at updated_at',
    violations: {
      scheduled_task_runs_pkey: [{ scheduled_for: slot }],
      scheduled_task_runs_cause_known: [{ cause: 'whim' }],
      scheduled_task_runs_finished_when_closed: [{ status: 'cancelled' }, { finished_at: now }],
      scheduled_task_runs_fired_has_target: [
        { status: 'fired', fired_at: now },
        { status: 'fired', target_id: first },
        { status: 'succeeded', finished_at: now },
        { status: 'failed', finished_at: now },
      ],
      scheduled_task_runs_skip_has_reason: [{ status: 'skipped', finished_at: now }],
      scheduled_task_runs_status_known: [{ status: 'lost' }],
      scheduled_task_runs_target_kind_known: [{ target_kind: 'mail' }],
    },
    foreignKeys: {
      scheduled_task_runs_task_fkey: {
        broken: [{ task_id: nobody }, { user_id: bob }],
        onDelete: 'cascades',
      },
    },
  },
};
