INSERT INTO public.scheduled_tasks
  (id, user_id, name, idempotency_key, kind, interval_seconds, anchor_at, target_kind, target, status, next_run_at,
   next_fire_at, run_count, created_at, updated_at)
SELECT pg_temp.id('task', n), pg_temp.user_of('task', n), 'Schedule ' || n, CASE WHEN n % 4 <> 0 THEN 'key-' || n END,
       'interval', 3600, began, 'run', '{}', status, next, next, 20, began, began
FROM generate_series(0, pg_temp.rows() - 1) AS n,
     LATERAL (SELECT pg_temp.time_of('task', n),
                     CASE WHEN n % 20 = 0 THEN 'archived' WHEN n % 20 = 1 THEN 'paused' ELSE 'active' END) AS task (began, status),
     LATERAL (SELECT CASE WHEN status = 'active' THEN now() + (pg_temp.share('next', n) - 0.005) * interval '1 hour' END) AS slot (next);

-- Twenty firings a schedule, an hour apart; the latest may still be under way.
INSERT INTO public.scheduled_task_runs
  (id, task_id, user_id, scheduled_for, status, target_kind, target_id, fired_at, finished_at, created_at)
SELECT pg_temp.id('firing', n), pg_temp.id('task', n / 20), pg_temp.user_of('task', n / 20), slot,
       CASE WHEN open THEN 'fired' WHEN n % 20 = 3 THEN 'failed' ELSE 'succeeded' END, 'run', pg_temp.id('fired run', n), slot,
       CASE WHEN NOT open THEN slot + interval '1 minute' END, slot
FROM generate_series(0, pg_temp.rows() - 1) AS n,
     LATERAL (SELECT pg_temp.time_of('firing', n / 20) - n % 20 * interval '1 hour', n % 20 = 0 AND n % 200 = 0) AS firing (slot, open);
