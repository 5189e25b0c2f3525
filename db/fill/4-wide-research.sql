INSERT INTO public.wide_research_templates
  (id, user_id, slug, name, goal, item_prompt, input_schema, output_schema, created_at)
SELECT pg_temp.id('template', n), CASE WHEN n % 50 <> 0 THEN pg_temp.user_of('template', n) END, 'fill_' || n,
       'Template ' || n, 'Compare them', 'Describe {{name}}', '{}', '{}', pg_temp.time_of('template', n)
FROM generate_series(0, pg_temp.rows() - 1) AS n;

-- Twenty items a research, in the first twentieth of them; those that are open have open items.
INSERT INTO public.wide_research_jobs
  (id, user_id, template_id, run_id, idempotency_key, title, goal, item_prompt, items_source, output_schema, status,
   fan_out_done, lease_owner, lease_until, total_items, open_items, completed_items, started_at, finished_at, created_at)
SELECT pg_temp.id('research', n), pg_temp.user_of('research', n), CASE WHEN n % 3 = 0 THEN pg_temp.id('template', n) END,
       CASE WHEN n % 2 = 0 THEN pg_temp.id('run', n) END, CASE WHEN n % 4 <> 0 THEN 'key-' || n END,
       'Research ' || n, 'Compare them', 'Describe {{name}}', '{"items": []}', '{}',
       CASE WHEN open THEN 'running' ELSE 'completed' END, true, CASE WHEN open AND n % 2 = 0 THEN 'worker-' || n % 4 END,
       CASE WHEN open AND n % 2 = 0 THEN now() + (pg_temp.share('research lease', n) - 0.1) * interval '1 minute' END,
       20, CASE WHEN open THEN 20 ELSE 0 END, CASE WHEN open THEN 0 ELSE 20 END, began,
       CASE WHEN NOT open THEN began + interval '10 minutes' END, began
FROM generate_series(0, pg_temp.rows() - 1) AS n,
     LATERAL (SELECT pg_temp.time_of('research', n), pg_temp.share('research open', n) < 0.02) AS research (began, open);

INSERT INTO public.wide_research_subtasks
  (id, job_id, user_id, item_index, item_key, input, run_id, attempt, status, output, requested_at, finished_at, created_at)
SELECT pg_temp.id('item', n), pg_temp.id('research', n / 20), pg_temp.user_of('research', n / 20), n % 20, 'item ' || n % 20,
       '{}', CASE WHEN status <> 'pending' THEN pg_temp.id('item run', n) END, 1, status,
       CASE WHEN status = 'completed' THEN '{"summary": "words"}'::jsonb END,
       CASE WHEN status <> 'pending' THEN began + pg_temp.share('item', n) * interval '10 minutes' END,
       CASE WHEN status = 'completed' THEN began + interval '10 minutes' END, began
FROM generate_series(0, pg_temp.rows() - 1) AS n,
     LATERAL (SELECT pg_temp.time_of('research', n / 20), pg_temp.share('research open', n / 20) < 0.02) AS research (began, open),
     LATERAL (SELECT CASE WHEN NOT open THEN 'completed' WHEN n % 4 = 0 THEN 'requested' ELSE 'pending' END) AS item (status);
