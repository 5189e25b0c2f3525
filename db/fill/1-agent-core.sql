-- Runs come in fives: a root, one child of it, and three that stand alone. Nine in ten are over and went well.
INSERT INTO public.agent_runs
  (id, user_id, tenant_id, parent_run_id, root_run_id, mode, kind, title, goal, inputs, status, attempt, lease_owner,
   lease_until, run_seq, cancel_requested_at, planning_done, step_count, open_steps, completed_steps, billable_steps,
   consumed_micro, held_micro, reservation_id, reservation, queued_at, started_at, finished_at, created_at, updated_at)
SELECT pg_temp.id('run', n), pg_temp.user_of('run', n / 5),
       CASE WHEN pg_temp.share('tenant', n / 5) < 0.2
            THEN pg_temp.id('tenant', floor(100 * power(pg_temp.share('which tenant', n / 5), 2))::int) END,
       CASE WHEN n % 5 = 1 THEN pg_temp.id('run', n - 1) END,
       pg_temp.id('run', CASE WHEN n % 5 = 1 THEN n - 1 ELSE n END),
       (ARRAY['general', 'research', 'coding', 'data_analysis', 'playbook'])[n % 5 + 1]::public.agent_mode,
       'goal', 'Run ' || n, 'Find out what ' || n || ' is about', '{}', status::public.agent_run_status,
       CASE WHEN status IN ('pending', 'queued') THEN 0 ELSE 1 END,
       CASE WHEN status = 'running' THEN 'worker-' || n % 4 END,
       CASE WHEN status = 'running' THEN now() + (pg_temp.share('lease', n) - 0.1) * interval '1 minute' END,
       11, CASE WHEN status = 'running' AND pg_temp.share('cancel', n) < 0.1 THEN now() END,
       status <> 'pending', CASE WHEN n < pg_temp.rows() / 10 THEN 10 ELSE 0 END, 0,
       CASE WHEN n < pg_temp.rows() / 10 THEN 10 ELSE 0 END, CASE WHEN n < pg_temp.rows() / 10 THEN 5 ELSE 0 END,
       0, 1000000, pg_temp.id('reservation', n), '{"ttl_seconds": 120}',
       CASE WHEN status <> 'pending' THEN began END,
       CASE WHEN status NOT IN ('pending', 'queued') THEN began END,
       CASE WHEN status IN ('completed', 'failed', 'cancelled', 'timed_out')
            THEN began + interval '1 minute' END, began, began
FROM generate_series(0, pg_temp.rows() - 1) AS n,
     LATERAL (SELECT pg_temp.time_of('run', n), pg_temp.share('run status', n)) AS run (began, place),
     LATERAL (SELECT CASE WHEN place < 0.92 THEN 'completed' WHEN place < 0.95 THEN 'failed' WHEN place < 0.97 THEN 'cancelled'
                          WHEN place < 0.975 THEN 'timed_out' WHEN place < 0.985 THEN 'running' WHEN place < 0.993 THEN 'queued'
                          WHEN place < 0.996 THEN 'pending' WHEN place < 0.998 THEN 'waiting_input' ELSE 'paused' END) AS state (status);

-- Ten steps a run, in the first tenth of the runs.
INSERT INTO public.agent_steps
  (id, run_id, user_id, step_index, step_key, tool, name, input, output, status, attempt, usage, cost_micro, duration_ms,
   started_at, finished_at, created_at)
SELECT pg_temp.id('step', n), pg_temp.id('run', n / 10), pg_temp.user_of('run', n / 50), n % 10, 'step_' || n % 10,
       (ARRAY['llm', 'llm', 'llm', 'code', 'search'])[n % 5 + 1]::public.tool_type, 'Step ' || n % 10,
       jsonb_build_object('prompt', repeat('words ', n % 20)), jsonb_build_object('text', repeat('more words ', n % 20)),
       'completed', 1,
       CASE WHEN n % 2 = 0 THEN '[{"operation": "web.search", "quantity": "1"}]'::jsonb ELSE '[]' END, n % 2 * 1000, n % 5000,
       began, began + interval '5 seconds', began
FROM generate_series(0, pg_temp.rows() - 1) AS n, LATERAL (SELECT pg_temp.time_of('run', n / 10)) AS run (began);

INSERT INTO public.agent_artifacts
  (id, run_id, user_id, step_id, kind, name, media_type, size_bytes, sha256, storage_key, created_at)
SELECT pg_temp.id('artifact', n), pg_temp.id('run', n / 10), pg_temp.user_of('run', n / 50), pg_temp.id('step', n),
       (ARRAY['output', 'output', 'output', 'workspace', 'log'])[n % 5 + 1], 'files/' || n || '.md', 'text/markdown',
       1000 + n, encode(sha256(n::text::bytea), 'hex'), 'sha256/' || encode(sha256(n::text::bytea), 'hex'),
       pg_temp.time_of('run', n / 10)
FROM generate_series(0, pg_temp.rows() - 1) AS n;

INSERT INTO public.agent_messages
  (id, run_id, user_id, message_index, role, content, step_id, input_tokens, output_tokens, created_at)
SELECT pg_temp.id('message', n), pg_temp.id('run', n / 20), pg_temp.user_of('run', n / 100), n % 20,
       (ARRAY['user', 'assistant', 'tool', 'assistant'])[n % 4 + 1], jsonb_build_object('text', repeat('words ', n % 30)),
       pg_temp.id('step', n / 2), n % 1000, n % 300, pg_temp.time_of('run', n / 20)
FROM generate_series(0, pg_temp.rows() - 1) AS n;

INSERT INTO public.agent_memory
  (id, user_id, tenant_id, run_id, namespace, key, content, created_at, updated_at)
SELECT pg_temp.id('memory', n), pg_temp.user_of('run', n / 5),
       CASE WHEN pg_temp.share('tenant', n / 5) < 0.2
            THEN pg_temp.id('tenant', floor(100 * power(pg_temp.share('which tenant', n / 5), 2))::int) END,
       pg_temp.id('run', n), (ARRAY['default', 'preferences', 'projects'])[n % 3 + 1], 'fact ' || n,
       'they mentioned word' || floor(5000 * power(pg_temp.share('word', n), 2)) || ' and word' || n % 977,
       pg_temp.time_of('run', n), pg_temp.time_of('run', n)
FROM generate_series(0, pg_temp.rows() - 1) AS n;

INSERT INTO public.agent_questions
  (id, run_id, user_id, step_id, kind, prompt, choices, status, answer, expires_at, answered_at, created_at)
SELECT pg_temp.id('question', n), pg_temp.id('run', n / 10), pg_temp.user_of('run', n / 50), pg_temp.id('step', n),
       'question', 'Which one?', '["this", "that"]', CASE WHEN n % 100 = 0 THEN 'open' ELSE 'answered' END,
       CASE WHEN n % 100 > 0 THEN '"this"'::jsonb END, asked + interval '1 day',
       CASE WHEN n % 100 > 0 THEN asked + interval '1 hour' END, asked
FROM generate_series(0, pg_temp.rows() - 1) AS n, LATERAL (SELECT pg_temp.time_of('run', n / 10)) AS run (asked);

-- Most are over; some of today are under way.
INSERT INTO public.agent_user_deletions (id, user_id, stage, requested_at, finished_at)
SELECT pg_temp.id('deletion', n), pg_temp.id('former user', n), CASE WHEN n < 100 THEN 'runs' ELSE 'done' END,
       pg_temp.time_of('deletion', n), CASE WHEN n < 100 THEN NULL ELSE pg_temp.time_of('deletion', n) + interval '1 hour' END
FROM generate_series(0, pg_temp.rows() - 1) AS n;
