-- migrate:up
-- squawk-ignore-file require-lock-timeout
-- (nothing is in use yet when this runs)

-- Schedules: when to start a run or a research, and what became of each firing.

CREATE TABLE public.scheduled_tasks (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id uuid NOT NULL CONSTRAINT scheduled_tasks_user_fkey REFERENCES auth.users (id) ON DELETE CASCADE,
  name text NOT NULL CONSTRAINT scheduled_tasks_name_length CHECK (length(name) BETWEEN 1 AND 200),
  description text NOT NULL DEFAULT '',
  idempotency_key text CONSTRAINT scheduled_tasks_idempotency_key_length
    CHECK (length(idempotency_key) BETWEEN 1 AND 200),
  kind text NOT NULL CONSTRAINT scheduled_tasks_kind_known CHECK (kind IN ('cron', 'interval', 'once')),
  cron_expression text,
  time_zone text NOT NULL DEFAULT 'UTC',
  interval_seconds bigint CONSTRAINT scheduled_tasks_interval_positive CHECK (interval_seconds > 0),
  anchor_at timestamptz,
  run_at timestamptz,
  target_kind text NOT NULL CONSTRAINT scheduled_tasks_target_kind_known CHECK (target_kind IN ('run', 'research')),
  target jsonb NOT NULL CONSTRAINT scheduled_tasks_target_object CHECK (jsonb_typeof(target) = 'object'),
  overlap_policy text NOT NULL DEFAULT 'skip' CONSTRAINT scheduled_tasks_overlap_policy_known
    CHECK (overlap_policy IN ('skip', 'queue_one', 'allow', 'cancel_previous')),
  catch_up_policy text NOT NULL DEFAULT 'latest' CONSTRAINT scheduled_tasks_catch_up_policy_known
    CHECK (catch_up_policy IN ('skip', 'latest', 'all')),
  catch_up_window_seconds integer NOT NULL DEFAULT 3600
    CONSTRAINT scheduled_tasks_catch_up_window_natural CHECK (catch_up_window_seconds >= 0),
  jitter_seconds integer NOT NULL DEFAULT 0 CONSTRAINT scheduled_tasks_jitter_range
    CHECK (jitter_seconds BETWEEN 0 AND 86400),
  starts_at timestamptz,
  ends_at timestamptz,
  status text NOT NULL DEFAULT 'active' CONSTRAINT scheduled_tasks_status_known
    CHECK (status IN ('active', 'paused', 'completed', 'errored', 'archived')),
  status_reason text,
  status_by text CONSTRAINT scheduled_tasks_status_by_known CHECK (status_by IN ('user', 'system')),
  next_run_at timestamptz,
  next_fire_at timestamptz,
  revision bigint NOT NULL DEFAULT 1 CONSTRAINT scheduled_tasks_revision_positive CHECK (revision > 0),
  run_count bigint NOT NULL DEFAULT 0,
  succeeded_count bigint NOT NULL DEFAULT 0,
  failed_count bigint NOT NULL DEFAULT 0,
  skipped_count bigint NOT NULL DEFAULT 0,
  consecutive_failures integer NOT NULL DEFAULT 0,
  max_consecutive_failures integer DEFAULT 5
    CONSTRAINT scheduled_tasks_max_consecutive_failures_positive CHECK (max_consecutive_failures > 0),
  last_scheduled_for timestamptz,
  last_status text,
  last_succeeded_at timestamptz,
  last_failed_at timestamptz,
  event_seq bigint NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT scheduled_tasks_id_user_key UNIQUE (id, user_id),
  CONSTRAINT scheduled_tasks_idempotency_key UNIQUE (user_id, idempotency_key),
  CONSTRAINT scheduled_tasks_when_fits_kind CHECK (
    (kind = 'cron') = (cron_expression IS NOT NULL)
    AND (kind = 'interval') = (interval_seconds IS NOT NULL)
    AND (kind = 'interval') = (anchor_at IS NOT NULL)
    AND (kind = 'once') = (run_at IS NOT NULL)
  ),
  CONSTRAINT scheduled_tasks_ends_after_start CHECK (ends_at IS NULL OR starts_at IS NULL OR ends_at > starts_at),
  CONSTRAINT scheduled_tasks_fire_time_whole CHECK ((next_run_at IS NULL) = (next_fire_at IS NULL)),
  CONSTRAINT scheduled_tasks_fire_after_slot CHECK (next_fire_at >= next_run_at)
) WITH (fillfactor = 80);

COMMENT ON TABLE public.scheduled_tasks IS
  'A schedule: when it fires, what it starts, how it treats overlap and missed times, and how it has been going.';
COMMENT ON COLUMN public.scheduled_tasks.idempotency_key IS 'A second request with the same key finds this schedule';
COMMENT ON COLUMN public.scheduled_tasks.cron_expression IS 'Evaluated in time_zone; for kind cron alone';
COMMENT ON COLUMN public.scheduled_tasks.time_zone IS 'IANA name';
COMMENT ON COLUMN public.scheduled_tasks.interval_seconds IS 'For kind interval alone';
COMMENT ON COLUMN public.scheduled_tasks.run_at IS 'For kind once alone';
COMMENT ON COLUMN public.scheduled_tasks.target IS 'The body of the run or research it starts';
COMMENT ON COLUMN public.scheduled_tasks.catch_up_window_seconds IS 'Slots missed longer ago are skipped';
COMMENT ON COLUMN public.scheduled_tasks.jitter_seconds IS
  'The most by which a slot is delayed; spreads schedules of the same minute';
COMMENT ON COLUMN public.scheduled_tasks.starts_at IS 'No slot before it';
COMMENT ON COLUMN public.scheduled_tasks.ends_at IS 'No slot from it on';
COMMENT ON COLUMN public.scheduled_tasks.run_count IS 'Slots that started something; as the next three for life';
COMMENT ON COLUMN public.scheduled_tasks.succeeded_count IS 'Of run_count';
COMMENT ON COLUMN public.scheduled_tasks.failed_count IS 'Of run_count';
COMMENT ON COLUMN public.scheduled_tasks.skipped_count IS 'Slots that started nothing';
COMMENT ON COLUMN public.scheduled_tasks.last_scheduled_for IS 'Latest slot';
COMMENT ON COLUMN public.scheduled_tasks.last_status IS 'What became of it';
COMMENT ON COLUMN public.scheduled_tasks.last_succeeded_at IS 'Null before the first time';
COMMENT ON COLUMN public.scheduled_tasks.last_failed_at IS 'Null before the first time';
COMMENT ON COLUMN public.scheduled_tasks.anchor_at IS
  'First slot of an interval; the others are whole intervals from it, so firing late never shifts them.';
COMMENT ON COLUMN public.scheduled_tasks.catch_up_policy IS
  'Slots missed within catch_up_window_seconds: skip them, fire only the latest, or fire all.';
COMMENT ON COLUMN public.scheduled_tasks.next_run_at IS
  'Nominal time of the next slot; null when there is none.';
COMMENT ON COLUMN public.scheduled_tasks.next_fire_at IS
  'When that slot is due: nominal time plus this schedule''s stable share of the jitter.';
COMMENT ON COLUMN public.scheduled_tasks.revision IS
  'Raised by every edit; whoever computed next_run_at from an older revision writes nothing.';
COMMENT ON COLUMN public.scheduled_tasks.status_reason IS
  'Why it is paused or errored: requested, consecutive_failures, no_next_run, ...';
COMMENT ON COLUMN public.scheduled_tasks.consecutive_failures IS
  'Failed firings since the last success; at max_consecutive_failures the schedule pauses itself.';
COMMENT ON COLUMN public.scheduled_tasks.max_consecutive_failures IS 'Null: never pauses itself.';
COMMENT ON COLUMN public.scheduled_tasks.event_seq IS
  'Order of the events about this schedule (aggregate_seq), raised in the transaction that appends one.';

CREATE INDEX scheduled_tasks_due_idx ON public.scheduled_tasks (next_fire_at)
  WHERE status = 'active' AND next_fire_at IS NOT NULL;
CREATE INDEX scheduled_tasks_list_idx ON public.scheduled_tasks (user_id, created_at DESC, id DESC)
  WHERE status <> 'archived';
CREATE INDEX scheduled_tasks_archived_idx ON public.scheduled_tasks (updated_at) WHERE status = 'archived';

CREATE TABLE public.scheduled_task_runs (
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  task_id uuid NOT NULL,
  user_id uuid NOT NULL,
  scheduled_for timestamptz NOT NULL,
  cause text NOT NULL DEFAULT 'schedule' CONSTRAINT scheduled_task_runs_cause_known
    CHECK (cause IN ('schedule', 'catch_up', 'manual', 'backfill')),
  status text NOT NULL CONSTRAINT scheduled_task_runs_status_known
    CHECK (status IN ('queued', 'fired', 'succeeded', 'failed', 'cancelled', 'skipped')),
  reason text,
  target_kind text NOT NULL CONSTRAINT scheduled_task_runs_target_kind_known
    CHECK (target_kind IN ('run', 'research')),
  target_id uuid,
  error_code text,
  error_message text,
  fired_at timestamptz,
  finished_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT scheduled_task_runs_pkey PRIMARY KEY (task_id, scheduled_for),
  CONSTRAINT scheduled_task_runs_task_fkey FOREIGN KEY (task_id, user_id)
    REFERENCES public.scheduled_tasks (id, user_id) ON DELETE CASCADE,
  CONSTRAINT scheduled_task_runs_skip_has_reason CHECK (status <> 'skipped' OR reason IS NOT NULL),
  CONSTRAINT scheduled_task_runs_fired_has_target
    CHECK (status NOT IN ('fired', 'succeeded', 'failed') OR (target_id IS NOT NULL AND fired_at IS NOT NULL)),
  CONSTRAINT scheduled_task_runs_finished_when_closed
    CHECK ((finished_at IS NOT NULL) = (status IN ('succeeded', 'failed', 'cancelled', 'skipped')))
) PARTITION BY RANGE (scheduled_for);

COMMENT ON TABLE public.scheduled_task_runs IS
  'One row per slot of a schedule, also for a slot that did not fire. The key makes a second firing impossible. '
  'Partitioned by month of the slot.';
COMMENT ON COLUMN public.scheduled_task_runs.scheduled_for IS
  'Nominal time of the slot; a manual firing has the time it was asked for.';
COMMENT ON COLUMN public.scheduled_task_runs.reason IS
  'Why it was skipped: overlap, missed_window, paused, no_credits.';
COMMENT ON COLUMN public.scheduled_task_runs.target_id IS
  'The run or research it started, chosen here before it is asked for, so that asking twice starts one.';

CREATE INDEX scheduled_task_runs_id_idx ON public.scheduled_task_runs (id);
CREATE INDEX scheduled_task_runs_target_idx ON public.scheduled_task_runs (target_id) WHERE target_id IS NOT NULL;
CREATE INDEX scheduled_task_runs_list_idx ON public.scheduled_task_runs (user_id, scheduled_for DESC);
CREATE INDEX scheduled_task_runs_open_idx ON public.scheduled_task_runs (task_id, scheduled_for)
  WHERE status IN ('queued', 'fired');
CREATE INDEX scheduled_task_runs_stuck_idx ON public.scheduled_task_runs (fired_at) WHERE status = 'fired';

SELECT sb.partition_by_month('public.scheduled_task_runs', 3, '13 months', $$status IN ('queued', 'fired')$$);

-- ---------------------------------------------------------------------------------------------------------------
-- The next slot.

CREATE FUNCTION public.calculate_next_run(
  p_kind text,
  p_after timestamptz,
  p_interval_seconds bigint DEFAULT NULL,
  p_anchor_at timestamptz DEFAULT NULL,
  p_run_at timestamptz DEFAULT NULL
) RETURNS timestamptz
LANGUAGE plpgsql IMMUTABLE
SET search_path = ''
AS $$
DECLARE
  v_passed bigint;
BEGIN
  IF p_after IS NULL THEN
    RAISE EXCEPTION 'the next slot is asked for after a time' USING ERRCODE = '22004';
  END IF;
  CASE p_kind
    WHEN 'interval' THEN
      IF p_interval_seconds IS NULL OR p_interval_seconds <= 0 OR p_anchor_at IS NULL THEN
        RAISE EXCEPTION 'an interval has positive seconds and an anchor' USING ERRCODE = '22023';
      END IF;
      IF p_after < p_anchor_at THEN
        RETURN p_anchor_at;
      END IF;
      -- Whole intervals since the anchor, never since now: a late firing does not shift the ones after it.
      v_passed := floor((extract(epoch FROM p_after) - extract(epoch FROM p_anchor_at)) / p_interval_seconds)::bigint;
      RETURN p_anchor_at + (v_passed + 1) * p_interval_seconds * interval '1 second';
    WHEN 'once' THEN
      IF p_run_at IS NULL THEN
        RAISE EXCEPTION 'a one-time schedule has a time' USING ERRCODE = '22023';
      END IF;
      RETURN CASE WHEN p_run_at > p_after THEN p_run_at END;
    WHEN 'cron' THEN
      RAISE EXCEPTION 'cron expressions are evaluated by the scheduler service, not by the database'
        USING ERRCODE = '22023',
          HINT = 'Two evaluators would disagree on the days a clock changes; the service owns cron.';
    ELSE
      RAISE EXCEPTION 'unknown kind of schedule: %', p_kind USING ERRCODE = '22023';
  END CASE;
END
$$;
COMMENT ON FUNCTION public.calculate_next_run(text, timestamptz, bigint, timestamptz, timestamptz) IS
  'The first slot strictly after a time, null when there is none. Intervals count from their anchor. '
  'Refuses cron (22023): the scheduler service evaluates it.';

-- ---------------------------------------------------------------------------------------------------------------
-- Statistics.

CREATE FUNCTION public.update_scheduled_task_stats() RETURNS trigger
LANGUAGE plpgsql
SET search_path = ''
AS $$
DECLARE
  v_was text := CASE WHEN TG_OP = 'UPDATE' THEN OLD.status END;
  v_task public.scheduled_tasks;
BEGIN
  IF v_was IS NOT DISTINCT FROM NEW.status THEN
    RETURN NULL;
  END IF;
  IF v_was IN ('succeeded', 'failed', 'cancelled', 'skipped') THEN
    RAISE EXCEPTION 'firing % of schedule % is already %', NEW.scheduled_for, NEW.task_id, v_was
      USING ERRCODE = '23514';
  END IF;
  UPDATE public.scheduled_tasks AS task
  SET run_count = task.run_count
      + (NEW.status IN ('fired', 'succeeded', 'failed') AND coalesce(v_was, 'queued') = 'queued')::integer,
    succeeded_count = task.succeeded_count + (NEW.status = 'succeeded')::integer,
    failed_count = task.failed_count + (NEW.status = 'failed')::integer,
    skipped_count = task.skipped_count + (NEW.status = 'skipped')::integer,
    consecutive_failures = CASE NEW.status
      WHEN 'succeeded' THEN 0
      WHEN 'failed' THEN task.consecutive_failures + 1
      ELSE task.consecutive_failures END,
    last_scheduled_for = greatest(task.last_scheduled_for, NEW.scheduled_for),
    last_status = CASE WHEN task.last_scheduled_for > NEW.scheduled_for THEN task.last_status ELSE NEW.status END,
    last_succeeded_at = CASE WHEN NEW.status = 'succeeded' THEN NEW.finished_at ELSE task.last_succeeded_at END,
    last_failed_at = CASE WHEN NEW.status = 'failed' THEN NEW.finished_at ELSE task.last_failed_at END,
    updated_at = now()
  WHERE task.id = NEW.task_id
  RETURNING task.* INTO v_task;

  IF NEW.status = 'failed' AND v_task.status = 'active'
    AND v_task.consecutive_failures >= v_task.max_consecutive_failures THEN
    UPDATE public.scheduled_tasks AS task
    SET status = 'paused', status_reason = 'consecutive_failures', status_by = 'system',
      revision = task.revision + 1, event_seq = task.event_seq + 1
    WHERE task.id = NEW.task_id
    RETURNING task.* INTO v_task;
    INSERT INTO public.event_outbox
      (source, aggregate_type, aggregate_id, aggregate_seq, type, user_id, root_id, data)
    VALUES (
      'scheduler', 'schedule', v_task.id, v_task.event_seq, 'schedule.paused', v_task.user_id, v_task.user_id,
      jsonb_build_object(
        'schedule_id', v_task.id,
        'name', v_task.name,
        'reason', v_task.status_reason,
        'paused_by', v_task.status_by,
        'consecutive_failures', v_task.consecutive_failures
      )
    );
  END IF;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION public.update_scheduled_task_stats() IS
  'Counts firings by their outcome and pauses a schedule that fails too often in a row, with its event. '
  'Counts are for life: retention of old firings does not change them. A closed firing stays closed.';

CREATE TRIGGER trigger_update_scheduled_task_stats
  AFTER INSERT OR UPDATE ON public.scheduled_task_runs
  FOR EACH ROW EXECUTE FUNCTION public.update_scheduled_task_stats();

-- ---------------------------------------------------------------------------------------------------------------
-- Row-level security.

ALTER TABLE public.scheduled_tasks ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.scheduled_task_runs ENABLE ROW LEVEL SECURITY;

CREATE POLICY scheduled_tasks_select ON public.scheduled_tasks
  FOR SELECT TO authenticated, sb_scheduler_user
  USING (user_id = (SELECT sb.current_user_id()) AND user_id = (SELECT sb.current_user_id()));
CREATE POLICY scheduled_tasks_insert ON public.scheduled_tasks
  FOR INSERT TO authenticated, sb_scheduler_user
  WITH CHECK (user_id = (SELECT sb.current_user_id()));
CREATE POLICY scheduled_tasks_update ON public.scheduled_tasks
  FOR UPDATE TO authenticated, sb_scheduler_user
  USING (user_id = (SELECT sb.current_user_id()) AND user_id = (SELECT sb.current_user_id()))
  WITH CHECK (user_id = (SELECT sb.current_user_id()));
CREATE POLICY scheduled_tasks_service ON public.scheduled_tasks
  FOR ALL TO sb_scheduler USING (true) WITH CHECK (true);

CREATE POLICY scheduled_task_runs_select ON public.scheduled_task_runs
  FOR SELECT TO authenticated, sb_scheduler_user
  USING (user_id = (SELECT sb.current_user_id()) AND user_id = (SELECT sb.current_user_id()));
CREATE POLICY scheduled_task_runs_service ON public.scheduled_task_runs
  FOR ALL TO sb_scheduler USING (true) WITH CHECK (true);

-- ---------------------------------------------------------------------------------------------------------------
-- Grants.

REVOKE ALL ON public.scheduled_tasks, public.scheduled_task_runs FROM PUBLIC, anon, authenticated, service_role;
REVOKE ALL ON FUNCTION public.calculate_next_run(text, timestamptz, bigint, timestamptz, timestamptz)
  FROM PUBLIC, anon, authenticated, service_role;
REVOKE ALL ON FUNCTION public.update_scheduled_task_stats() FROM PUBLIC, anon, authenticated, service_role;

GRANT SELECT ON public.scheduled_tasks, public.scheduled_task_runs TO authenticated, sb_scheduler_user;
-- Statistics and the next slot's fence stay the service's; deleting a schedule archives it, so its history stays.
GRANT INSERT (
  id, user_id, name, description, idempotency_key, kind, cron_expression, time_zone, interval_seconds, anchor_at,
  run_at, target_kind, target, overlap_policy, catch_up_policy, catch_up_window_seconds, jitter_seconds, starts_at,
  ends_at, max_consecutive_failures, next_run_at, next_fire_at
) ON public.scheduled_tasks TO sb_scheduler_user;
GRANT UPDATE (
  name, description, kind, cron_expression, time_zone, interval_seconds, anchor_at, run_at, target_kind, target,
  overlap_policy, catch_up_policy, catch_up_window_seconds, jitter_seconds, starts_at, ends_at,
  max_consecutive_failures, consecutive_failures, status, status_reason, status_by, next_run_at, next_fire_at,
  revision, event_seq, updated_at
) ON public.scheduled_tasks TO sb_scheduler_user;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.scheduled_tasks TO sb_scheduler;
GRANT SELECT, INSERT, UPDATE ON public.scheduled_task_runs TO sb_scheduler;
GRANT EXECUTE ON FUNCTION public.calculate_next_run(text, timestamptz, bigint, timestamptz, timestamptz)
  TO sb_scheduler_user, sb_scheduler;

-- migrate:down

SELECT sb.forget_partitions('public.scheduled_task_runs');
DROP TABLE public.scheduled_task_runs;
DROP TABLE public.scheduled_tasks;
DROP FUNCTION public.update_scheduled_task_stats();
DROP FUNCTION public.calculate_next_run(text, timestamptz, bigint, timestamptz, timestamptz);
