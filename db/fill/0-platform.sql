-- Users, and the tables that all services share. One account in a hundred makes a third of the traffic: the place of
-- a row's user is the fourth power of an even share, here and in the other files.

CREATE FUNCTION pg_temp.rows() RETURNS int LANGUAGE sql STABLE PARALLEL SAFE AS
  $$ SELECT current_setting('fill.rows')::int $$;

-- The same id for the same thing in every statement, so that rows find their parents without a join. Stable, as || is:
-- declared immutable, it would not be taken into the statement and cost twice as much.
CREATE FUNCTION pg_temp.id(kind text, n int) RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS
  $$ SELECT md5(kind || n)::uuid $$;

-- An even share of [0, 1) that belongs to the thing.
CREATE FUNCTION pg_temp.share(kind text, n int) RETURNS float8 LANGUAGE sql STABLE PARALLEL SAFE AS
  $$ SELECT (hashtextextended(kind || n, 0) & 9007199254740991) / 9007199254740992.0 $$;

CREATE FUNCTION pg_temp.user_of(kind text, n int) RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS
  $$ SELECT pg_temp.id('user', floor(pg_temp.rows() * power(pg_temp.share(kind, n), 4))::int) $$;

-- A time within the last 60 days, mostly recent.
CREATE FUNCTION pg_temp.time_of(kind text, n int) RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS
  $$ SELECT now() - power(pg_temp.share(kind || ' time', n), 2) * interval '60 days' $$;

SELECT sb.add_month(table_name, date_trunc('month', now() AT TIME ZONE 'UTC') - back * interval '1 month')
FROM sb.monthly_partitions, generate_series(1, 3) AS back;

INSERT INTO auth.users (id, email, created_at)
SELECT pg_temp.id('user', n), 'user' || n || '@example.com', pg_temp.time_of('user', n)
FROM generate_series(0, pg_temp.rows() - 1) AS n;

INSERT INTO sb.deleted_users (user_id, deleted_at)
SELECT pg_temp.id('gone', n), pg_temp.time_of('gone', n)
FROM generate_series(0, pg_temp.rows() - 1) AS n;

-- The longest log: ten events a run, in a third of them; one in five hundred still has to be published.
INSERT INTO public.event_outbox
  (source, aggregate_type, aggregate_id, aggregate_seq, type, user_id, root_id, run_id, run_seq, data, created_at,
   published_at, stream_seq)
SELECT CASE WHEN run THEN 'agent-runner' ELSE 'credits' END, CASE WHEN run THEN 'run' ELSE 'reservation' END,
       CASE WHEN run THEN pg_temp.id('run', n / 10) ELSE pg_temp.id('reservation', n / 10) END, n % 10 + 1,
       CASE WHEN run THEN 'step.completed' ELSE 'credits.consumed' END, pg_temp.user_of('run', n / 50),
       pg_temp.id('run', n / 50 * 5), CASE WHEN run THEN pg_temp.id('run', n / 10) END, CASE WHEN run THEN n % 10 + 1 END,
       jsonb_build_object('run_id', pg_temp.id('run', n / 10), 'step_id', pg_temp.id('step', n)),
       pg_temp.time_of('run', n / 10) + n % 10 * interval '1 second',
       CASE WHEN sent THEN now() END, CASE WHEN sent THEN n END
FROM generate_series(0, 3 * pg_temp.rows() - 1) AS n,
     LATERAL (SELECT pg_temp.share('event', n) < 0.8, pg_temp.share('event sent', n) > 0.002) AS of_event (run, sent)
ORDER BY pg_temp.time_of('run', n / 10);

INSERT INTO public.event_inbox (source, consumer, event_id, event_time, processed_at)
SELECT (ARRAY['credits', 'credits', 'credits', 'agent-runner', 'scheduler'])[n % 5 + 1],
       (ARRAY['usage', 'closings', 'usage', 'admissions', 'outcomes'])[n % 5 + 1],
       pg_temp.id('event', n), pg_temp.time_of('run', n / 10), pg_temp.time_of('run', n / 10)
FROM generate_series(0, pg_temp.rows() - 1) AS n;

INSERT INTO public.api_idempotency
  (user_id, source, route, key, request_hash, response_status, response_body, created_at)
SELECT pg_temp.user_of('request', n), (ARRAY['agent-runner', 'agent-runner', 'agent-runner', 'credits', 'collab'])[n % 5 + 1],
       'POST /v1/things', 'key-' || n, md5(n::text), 201, '{}',
       now() - pg_temp.share('request time', n) * interval '25 hours'
FROM generate_series(0, pg_temp.rows() - 1) AS n;
