-- migrate:up
-- squawk-ignore-file require-lock-timeout
-- (nothing is in use yet when this runs)

-- The platform under the six services: roles, identity, events, idempotency, monthly partitions.
-- Plain SQL for Postgres 15 and later; the same file applies to a Supabase project.
--
-- How to write a schema migration here (db/README.md has the long form):
--   1. Tables in schema public, helper functions in sb. Every child table carries user_id and has a foreign key
--      (parent_id, user_id) to its parent, since foreign keys look past row-level security.
--   2. ALTER TABLE ... ENABLE ROW LEVEL SECURITY on every table; one policy FOR ALL TO sb_<service> USING (true)
--      WITH CHECK (true); policies for people compare with (SELECT sb.current_user_id()), in USING twice: see
--      sb.require_user().
--   3. Append-only logs: PARTITION BY RANGE (<timestamptz column>), then, after its indexes,
--      SELECT sb.partition_by_month('<table>', <months ahead>). Every unique key must contain that column.
--      In the down part: SELECT sb.forget_partitions('<table>') before DROP TABLE.
--   4. Every function pins search_path: SET search_path = '' with qualified names. Functions that use pgcrypto
--      pin  SET search_path = pg_catalog, extensions, public, pg_temp  and leave the names bare, since the extension
--      lives in schema extensions on Supabase and may already live in public elsewhere.
--   5. Last: REVOKE ALL ON each table and function FROM PUBLIC, anon, authenticated, service_role; then GRANT by name
--      to sb_<service> and sb_<service>_user, and at most SELECT to anon and authenticated.

CREATE SCHEMA IF NOT EXISTS extensions;
CREATE EXTENSION IF NOT EXISTS pgcrypto WITH SCHEMA extensions;

CREATE SCHEMA sb;
COMMENT ON SCHEMA sb IS 'Helper functions and registers of SwissBrain; no table of a service';
CREATE SCHEMA sb_partitions;
COMMENT ON SCHEMA sb_partitions IS
  'Partitions by month. A partition by name does not inherit its parent''s policies, so nobody has rights here';

-- ---------------------------------------------------------------------------------------------------------------
-- Roles. They belong to the whole server: created if absent, never altered, never dropped. Passwords are set
-- outside migrations.

DO $$
DECLARE
  service text;
  role_name text;
  suffix text;
BEGIN
  FOREACH role_name IN ARRAY ARRAY['anon', 'authenticated', 'service_role'] LOOP
    IF to_regrole(role_name) IS NULL THEN
      BEGIN
        EXECUTE format('CREATE ROLE %I NOLOGIN NOINHERIT', role_name);
      EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; -- another database of this server was faster
      END;
    END IF;
  END LOOP;

  FOREACH service IN ARRAY
    ARRAY['agent_runner', 'credits', 'connectors', 'wide_research', 'scheduler', 'collab']
  LOOP
    FOREACH suffix IN ARRAY ARRAY['', '_user', '_login'] LOOP
      role_name := 'sb_' || service || suffix;
      IF to_regrole(role_name) IS NULL THEN
        BEGIN
          EXECUTE format('CREATE ROLE %I NOINHERIT %s', role_name,
                         CASE suffix WHEN '_login' THEN 'LOGIN' ELSE 'NOLOGIN' END);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
        END;
      END IF;
      IF EXISTS (SELECT FROM pg_roles WHERE rolname = role_name AND (rolsuper OR rolbypassrls)) THEN
        RAISE EXCEPTION 'role % exists and passes row-level security', role_name
          USING HINT = format('ALTER ROLE %I NOSUPERUSER NOBYPASSRLS', role_name);
      END IF;
    END LOOP;

    -- Passing to a role is by SET ROLE alone: the login role is NOINHERIT, so it has no rights by itself.
    FOREACH suffix IN ARRAY ARRAY['', '_user'] LOOP
      role_name := 'sb_' || service || suffix;
      IF NOT EXISTS (SELECT FROM pg_auth_members
                     WHERE roleid = to_regrole(role_name) AND member = to_regrole('sb_' || service || '_login')) THEN
        BEGIN
          EXECUTE format('GRANT %I TO %I', role_name, 'sb_' || service || '_login');
        EXCEPTION WHEN unique_violation THEN NULL;
        END;
      END IF;
    END LOOP;
  END LOOP;
END
$$;

-- ---------------------------------------------------------------------------------------------------------------
-- Identity. Supabase brings schema auth; elsewhere a compatible one is created and marked as ours.

DO $$
DECLARE
  mark constant text := 'Created by SwissBrain: compatible with Supabase';
BEGIN
  IF to_regnamespace('auth') IS NULL THEN
    CREATE SCHEMA auth;
    EXECUTE format('COMMENT ON SCHEMA auth IS %L', mark);
    GRANT USAGE ON SCHEMA auth TO anon, authenticated, service_role;
  END IF;

  IF to_regclass('auth.users') IS NULL THEN
    CREATE TABLE auth.users (
      id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
      aud text,
      role text,
      email text,
      raw_app_meta_data jsonb,
      raw_user_meta_data jsonb,
      created_at timestamptz NOT NULL DEFAULT now(),
      updated_at timestamptz NOT NULL DEFAULT now()
    );
    ALTER TABLE auth.users ENABLE ROW LEVEL SECURITY;
    REVOKE ALL ON auth.users FROM PUBLIC, anon, authenticated, service_role;
    EXECUTE format('COMMENT ON TABLE auth.users IS %L', mark);
  END IF;

  IF to_regprocedure('auth.jwt()') IS NULL THEN
    CREATE FUNCTION auth.jwt() RETURNS jsonb LANGUAGE sql STABLE SET search_path = '' AS
      $f$ SELECT nullif(current_setting('request.jwt.claims', true), '')::jsonb $f$;
    EXECUTE format('COMMENT ON FUNCTION auth.jwt() IS %L', mark);
  END IF;
  IF to_regprocedure('auth.uid()') IS NULL THEN
    CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE SET search_path = '' AS
      $f$ SELECT (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid $f$;
    EXECUTE format('COMMENT ON FUNCTION auth.uid() IS %L', mark);
  END IF;
  IF to_regprocedure('auth.role()') IS NULL THEN
    CREATE FUNCTION auth.role() RETURNS text LANGUAGE sql STABLE SET search_path = '' AS
      $f$ SELECT nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role' $f$;
    EXECUTE format('COMMENT ON FUNCTION auth.role() IS %L', mark);
  END IF;
END
$$;

CREATE FUNCTION sb.current_user_id() RETURNS uuid
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = '' AS $$
DECLARE
  subject text := nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub';
BEGIN
  IF subject IS NULL THEN
    RAISE EXCEPTION 'no user in this transaction'
      USING ERRCODE = 'insufficient_privilege', HINT = 'request.jwt.claims must carry sub';
  END IF;
  RETURN subject::uuid;
END
$$;
COMMENT ON FUNCTION sb.current_user_id() IS
  'The user of this transaction. Raises without claims: a forgotten context is an error, never an empty list';

-- On a table without rows Postgres never evaluates a policy, and the forgotten context would be an empty list after all.
-- So USING names the user twice. What one column is to equal must be equal: Postgres compares the two values with each
-- other, once and before it reads (a One-Time Filter in the plan), and then each row with one of them. Where a policy
-- is an OR or names no user there is no such column but tableoid, and require_user() in place of the user.
CREATE FUNCTION sb.require_user(p_table regclass) RETURNS oid
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = '' AS $$
BEGIN
  PERFORM sb.current_user_id();
  RETURN p_table;
END
$$;
COMMENT ON FUNCTION sb.require_user(regclass) IS
  'Its argument, for policies to compare with tableoid; raises as sb.current_user_id() does, even if there is no row';

-- ---------------------------------------------------------------------------------------------------------------
-- Partitions by month.

CREATE TABLE sb.monthly_partitions (
  table_name text PRIMARY KEY,
  months_ahead int NOT NULL CHECK (months_ahead BETWEEN 1 AND 24),
  keep interval CHECK (keep >= interval '1 month'),
  keep_while text
);
COMMENT ON TABLE sb.monthly_partitions IS 'Tables of schema public partitioned by month, for sb.maintain_partitions()';
COMMENT ON COLUMN sb.monthly_partitions.table_name IS 'Of schema public, without the schema';
COMMENT ON COLUMN sb.monthly_partitions.months_ahead IS 'How many months after this one have a partition already';
COMMENT ON COLUMN sb.monthly_partitions.keep IS 'How long after its end a month is dropped; null: never. Operators may change it';
COMMENT ON COLUMN sb.monthly_partitions.keep_while IS
  'Condition in SQL: what it holds for is kept however old it is, and with it the month';
ALTER TABLE sb.monthly_partitions ENABLE ROW LEVEL SECURITY;

CREATE FUNCTION sb.create_partition(p_table text, p_name text) RETURNS regclass
LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
  guard record;
BEGIN
  -- A table that is attached later, not PARTITION OF: that would lock the whole parent against readers.
  EXECUTE format('CREATE TABLE sb_partitions.%I (LIKE public.%I INCLUDING ALL EXCLUDING IDENTITY)', p_name, p_table);
  EXECUTE format('ALTER TABLE sb_partitions.%I ENABLE ROW LEVEL SECURITY', p_name);
  EXECUTE format('REVOKE ALL ON sb_partitions.%I FROM PUBLIC, anon, authenticated, service_role', p_name);
  -- Triggers for rows come with the attachment; those against TRUNCATE do not, and it needs no parent.
  FOR guard IN
    SELECT t.tgname AS name, t.tgfoid::regproc AS function FROM pg_catalog.pg_trigger t
    WHERE t.tgrelid = format('public.%I', p_table)::regclass AND t.tgtype & 32 <> 0 AND NOT t.tgisinternal
  LOOP
    EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON sb_partitions.%I FOR EACH STATEMENT EXECUTE FUNCTION %s()',
                   guard.name, p_name, guard.function);
  END LOOP;
  RETURN format('sb_partitions.%I', p_name)::regclass;
END
$$;

CREATE FUNCTION sb.add_month(p_table text, p_month timestamp) RETURNS void
LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
  partition_name text := p_table || '_' || to_char(p_month, 'YYYY_MM');
  low timestamptz := p_month AT TIME ZONE 'UTC';
  high timestamptz := (p_month + interval '1 month') AT TIME ZONE 'UTC';
  key_column text;
  columns text;
BEGIN
  IF to_regclass(format('sb_partitions.%I', partition_name)) IS NOT NULL THEN
    RETURN;
  END IF;
  PERFORM sb.create_partition(p_table, partition_name);

  -- Rows that came before their partition wait in the default one; they must leave it for the attachment to hold.
  SELECT a.attname INTO STRICT key_column
  FROM pg_partitioned_table p
  JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
  WHERE p.partrelid = format('public.%I', p_table)::regclass;
  SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO columns
  FROM pg_attribute
  WHERE attrelid = format('public.%I', p_table)::regclass
    AND attnum > 0 AND NOT attisdropped AND attgenerated = '';
  -- Nobody may add to them meanwhile; readers wait for the attachment alone.
  EXECUTE format('LOCK TABLE sb_partitions.%I IN SHARE ROW EXCLUSIVE MODE', p_table || '_default');
  -- The move deletes where it came from, which an append-only log refuses to everybody else.
  EXECUTE format('ALTER TABLE sb_partitions.%I DISABLE TRIGGER USER', p_table || '_default');
  EXECUTE format(
    'WITH early AS (DELETE FROM sb_partitions.%1$I WHERE %2$I >= %3$L AND %2$I < %4$L RETURNING %5$s)
     INSERT INTO sb_partitions.%6$I (%5$s) SELECT %5$s FROM early',
    p_table || '_default', key_column, low, high, columns, partition_name);
  EXECUTE format('ALTER TABLE sb_partitions.%I ENABLE TRIGGER USER', p_table || '_default');

  EXECUTE format('ALTER TABLE public.%I ATTACH PARTITION sb_partitions.%I FOR VALUES FROM (%L) TO (%L)',
                 p_table, partition_name, low, high);
END
$$;

CREATE FUNCTION sb.ensure_partitions() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' SET timezone = 'UTC' AS $$
DECLARE
  registered record;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('sb.ensure_partitions'));
  FOR registered IN SELECT table_name, months_ahead FROM sb.monthly_partitions ORDER BY table_name LOOP
    PERFORM sb.add_month(registered.table_name, month)
    FROM generate_series(date_trunc('month', now() AT TIME ZONE 'UTC'),
                         date_trunc('month', now() AT TIME ZONE 'UTC') + registered.months_ahead * interval '1 month',
                         interval '1 month') AS month;
  END LOOP;
END
$$;
COMMENT ON FUNCTION sb.ensure_partitions() IS
  'Creates the partitions of this month and the months ahead; any service role may call it, at any time';

CREATE FUNCTION sb.missing_month(p_table text, p_months_ahead int) RETURNS timestamp
LANGUAGE sql STABLE SET search_path = '' SET timezone = 'UTC' AS $$
  SELECT month
  FROM generate_series(date_trunc('month', now()::timestamp), date_trunc('month', now()::timestamp) + p_months_ahead * interval '1 month',
                       interval '1 month') AS month
  WHERE to_regclass(format('sb_partitions.%I', p_table || '_' || to_char(month, 'YYYY_MM'))) IS NULL
  ORDER BY month LIMIT 1;
$$;
COMMENT ON FUNCTION sb.missing_month(text, int) IS 'The first month from this one on that has no partition yet';

CREATE FUNCTION sb.outlived_month(p_table text, p_keep interval, p_keep_while text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = '' SET timezone = 'UTC' AS $$
DECLARE
  candidate text;
  needed boolean := false;
BEGIN
  FOR candidate IN
    SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = format('public.%I', p_table)::regclass AND c.relname ~ '_\d{4}_\d\d$'
      AND to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month' + p_keep <= now()::timestamp
    ORDER BY c.relname
  LOOP
    IF p_keep_while IS NOT NULL THEN
      EXECUTE format('SELECT EXISTS (SELECT FROM sb_partitions.%I WHERE %s)', candidate, p_keep_while) INTO needed;
    END IF;
    IF NOT needed THEN
      RETURN candidate;
    END IF;
  END LOOP;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION sb.outlived_month(text, interval, text) IS 'The oldest partition past its time in which no row is needed any more';

CREATE FUNCTION sb.sweep_default(p_table text, p_keep interval, p_keep_while text) RETURNS bigint
LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
  key_column text := (
    SELECT a.attname FROM pg_partitioned_table p
    JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
    WHERE p.partrelid = format('public.%I', p_table)::regclass);
  swept bigint;
BEGIN
  EXECUTE format(
    'DELETE FROM sb_partitions.%1$I WHERE ctid = ANY (ARRAY(
       SELECT ctid FROM sb_partitions.%1$I WHERE %2$I < now() - %3$L::interval - interval ''1 month'' AND (%4$s) IS NOT TRUE
       LIMIT 10000))',
    p_table || '_default', key_column, p_keep, coalesce(p_keep_while, 'false'));
  GET DIAGNOSTICS swept = ROW_COUNT;
  RETURN swept;
END
$$;
COMMENT ON FUNCTION sb.sweep_default(text, interval, text) IS
  'Deletes what came so late that its month was gone and it went to the default partition, 10,000 rows at a time';

CREATE FUNCTION sb.maintain_partitions() RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' SET timezone = 'UTC' SET lock_timeout = '400ms' AS $$
DECLARE
  registered sb.monthly_partitions;
  month timestamp;
  outlived text;
  busy text;
BEGIN
  -- Each call is a transaction of its own and changes one thing, so that no lock lives longer than that thing takes.
  IF NOT pg_try_advisory_xact_lock(hashtext('sb.ensure_partitions')) THEN
    RETURN NULL;
  END IF;
  FOR registered IN SELECT * FROM sb.monthly_partitions ORDER BY table_name LOOP
    BEGIN
      month := sb.missing_month(registered.table_name, registered.months_ahead);
      IF month IS NOT NULL THEN
        PERFORM sb.add_month(registered.table_name, month);
        RETURN format('added %s of %s', to_char(month, 'YYYY-MM'), registered.table_name);
      END IF;
      CONTINUE WHEN registered.keep IS NULL;
      outlived := sb.outlived_month(registered.table_name, registered.keep, registered.keep_while);
      IF outlived IS NOT NULL THEN
        EXECUTE format('ALTER TABLE public.%I DETACH PARTITION sb_partitions.%I', registered.table_name, outlived);
        EXECUTE format('DROP TABLE sb_partitions.%I', outlived);
        RETURN format('dropped %s', outlived);
      END IF;
      IF sb.sweep_default(registered.table_name, registered.keep, registered.keep_while) > 0 THEN
        RETURN format('swept %s_default', registered.table_name);
      END IF;
    EXCEPTION WHEN lock_not_available THEN
      busy := coalesce(busy || ', ', '') || registered.table_name;
    END;
  END LOOP;
  IF busy IS NOT NULL THEN
    RAISE EXCEPTION 'in use, to be maintained later: %', busy USING ERRCODE = 'lock_not_available';
  END IF;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION sb.maintain_partitions() IS
  'One step of the upkeep of partitions: adds a month, drops one past its time, or deletes old strays. Tells what it did; '
  'null when nothing is left to do or somebody else is at it. Never waits for a lock longer than 400 ms (55P03: try '
  'later). Any service role may call it, at any time';

CREATE FUNCTION sb.partition_by_month(
  p_table text, p_months_ahead int DEFAULT 3, p_keep interval DEFAULT NULL, p_keep_while text DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
  bare_name text := regexp_replace(p_table, '^public\.', '');
BEGIN
  PERFORM sb.create_partition(bare_name, bare_name || '_default');
  EXECUTE format('ALTER TABLE public.%I ATTACH PARTITION sb_partitions.%I DEFAULT', bare_name, bare_name || '_default');
  INSERT INTO sb.monthly_partitions (table_name, months_ahead, keep, keep_while)
  VALUES (bare_name, p_months_ahead, p_keep, p_keep_while);
  PERFORM sb.ensure_partitions();
END
$$;
COMMENT ON FUNCTION sb.partition_by_month(text, int, interval, text) IS
  'For migrations: registers a table of schema public that is PARTITION BY RANGE (timestamptz) and creates a default '
  'partition, this month and the months ahead. Call it after the indexes of the table';

CREATE FUNCTION sb.forget_partitions(p_table text) RETURNS void
LANGUAGE sql SET search_path = '' AS $$
  DELETE FROM sb.monthly_partitions WHERE table_name = regexp_replace(p_table, '^public\.', '');
$$;
COMMENT ON FUNCTION sb.forget_partitions(text) IS
  'For migrations: the reverse of sb.partition_by_month; DROP TABLE takes the partitions along';

-- ---------------------------------------------------------------------------------------------------------------
-- Events.

-- Without checks: each is parsed anew for each statement, and these are the hottest tables. Policies bind the source.
CREATE TABLE public.event_outbox (
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  source text NOT NULL,
  aggregate_type text NOT NULL,
  aggregate_id uuid NOT NULL,
  aggregate_seq bigint NOT NULL,
  type text NOT NULL,
  version int NOT NULL DEFAULT 1,
  user_id uuid NOT NULL,
  root_id uuid NOT NULL,
  run_id uuid,
  run_seq bigint,
  data jsonb NOT NULL,
  traceparent text DEFAULT nullif(current_setting('sb.traceparent', true), ''),
  shard smallint NOT NULL GENERATED ALWAYS AS (get_byte(uuid_send(aggregate_id), 15) & 15) STORED,
  created_at timestamptz NOT NULL DEFAULT now(),
  published_at timestamptz,
  stream_seq bigint,
  PRIMARY KEY (id, created_at)
) PARTITION BY RANGE (created_at);
COMMENT ON TABLE public.event_outbox IS
  'Facts committed together with the change they tell of; relays publish them to the stream in order per aggregate';
COMMENT ON COLUMN public.event_outbox.aggregate_type IS
  'What the fact is about: run, reservation, research, schedule, user, …';
COMMENT ON COLUMN public.event_outbox.aggregate_id IS 'The thing it is about';
COMMENT ON COLUMN public.event_outbox.type IS 'As the envelopes ce-type: run.started';
COMMENT ON COLUMN public.event_outbox.version IS 'Of the types schema';
COMMENT ON COLUMN public.event_outbox.run_id IS 'The run that clients follow; null for facts outside a run';
COMMENT ON COLUMN public.event_outbox.data IS 'Body of the event, at most 64 KiB';
COMMENT ON COLUMN public.event_outbox.published_at IS 'Null until the stream has acknowledged it';
COMMENT ON COLUMN public.event_outbox.source IS 'The service that owns the fact; policies bind it to the role';
COMMENT ON COLUMN public.event_outbox.aggregate_seq IS
  'Order within the aggregate: taken under the lock of the aggregate''s row, hence unique and without overtaking';
COMMENT ON COLUMN public.event_outbox.root_id IS 'Last word of the subject: the run the event belongs to, else the user';
COMMENT ON COLUMN public.event_outbox.run_seq IS 'Place in the story of the run, for clients that follow it';
COMMENT ON COLUMN public.event_outbox.traceparent IS
  'W3C trace context; by default the one the transaction carries in the setting sb.traceparent';
COMMENT ON COLUMN public.event_outbox.shard IS 'Which lease in outbox_shards publishes this row: low four bits of the aggregate';
COMMENT ON COLUMN public.event_outbox.stream_seq IS 'Sequence in the stream that acknowledged it; tells when a stream was lost';
-- The relay: what is unpublished in my shards, in order.
CREATE INDEX event_outbox_unpublished_idx ON public.event_outbox (source, shard, aggregate_id, aggregate_seq)
  WHERE published_at IS NULL;
-- Following a run: what came after run_seq.
CREATE INDEX event_outbox_run_idx ON public.event_outbox (run_id, run_seq) WHERE run_id IS NOT NULL;
-- What a user who leaves takes along.
CREATE INDEX event_outbox_user_idx ON public.event_outbox (user_id) WHERE run_id IS NULL;
-- What the stream should still hold: rows of the last days. Rows come in order of time, so that a summary of pages
-- is enough and costs next to nothing to keep.
CREATE INDEX event_outbox_age_idx ON public.event_outbox USING brin (created_at) WITH (pages_per_range = 32);
ALTER TABLE public.event_outbox ENABLE ROW LEVEL SECURITY;
-- Longer than the stream keeps an event, and as long as clients may replay the story of a run.
SELECT sb.partition_by_month('event_outbox', 3, '3 months', 'published_at IS NULL');

CREATE TABLE public.event_inbox (
  source text NOT NULL,
  consumer text NOT NULL,
  event_id uuid NOT NULL,
  event_time timestamptz NOT NULL,
  processed_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (source, consumer, event_id, event_time)
) PARTITION BY RANGE (event_time);
COMMENT ON TABLE public.event_inbox IS
  'Events a consumer has taken effect of, written in the transaction of the effect: a redelivery changes nothing';
COMMENT ON COLUMN public.event_inbox.consumer IS 'Name of the durable consumer';
COMMENT ON COLUMN public.event_inbox.event_id IS 'ce-id of the event: the id of its row in event_outbox';
COMMENT ON COLUMN public.event_inbox.source IS 'The consuming service; policies bind it to the role';
COMMENT ON COLUMN public.event_inbox.event_time IS
  'Time of the event itself, the same on every redelivery: a key by time of arrival would forget across midnight';
ALTER TABLE public.event_inbox ENABLE ROW LEVEL SECURITY;
-- Longer than the outbox, which might publish an event again.
SELECT sb.partition_by_month('event_inbox', 3, '4 months');

CREATE TABLE public.outbox_shards (
  source text NOT NULL,
  shard smallint NOT NULL CHECK (shard BETWEEN 0 AND 15),
  owner text,
  fence bigint NOT NULL DEFAULT 0,
  lease_until timestamptz,
  PRIMARY KEY (source, shard)
);
COMMENT ON TABLE public.outbox_shards IS 'Leases of the relays: one owner per source and shard at a time';
COMMENT ON COLUMN public.outbox_shards.source IS 'The service whose outbox it is';
COMMENT ON COLUMN public.outbox_shards.shard IS '0 to 15';
COMMENT ON COLUMN public.outbox_shards.owner IS 'The process that publishes the shard now';
COMMENT ON COLUMN public.outbox_shards.fence IS
  'Raised with every change of owner; marking rows as published is conditional on it';
COMMENT ON COLUMN public.outbox_shards.lease_until IS 'Time of the database, never of a client';
ALTER TABLE public.outbox_shards ENABLE ROW LEVEL SECURITY;
INSERT INTO public.outbox_shards (source, shard)
SELECT source, shard
FROM unnest(ARRAY['agent-runner', 'credits', 'connectors', 'wide-research', 'scheduler', 'collab']) AS source,
     generate_series(0, 15) AS shard;

-- ---------------------------------------------------------------------------------------------------------------
-- Requests that may be repeated.

CREATE TABLE public.api_idempotency (
  user_id uuid NOT NULL,
  source text NOT NULL
    CHECK (source IN ('agent-runner', 'credits', 'connectors', 'wide-research', 'scheduler', 'collab')),
  route text NOT NULL,
  key text NOT NULL CHECK (char_length(key) BETWEEN 1 AND 255),
  request_hash text NOT NULL,
  response_status int CHECK (response_status BETWEEN 100 AND 599),
  response_body jsonb,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (user_id, source, route, key)
);
COMMENT ON TABLE public.api_idempotency IS
  'Answers by Idempotency-Key, written in the transaction of the effect; kept for 24 hours';
COMMENT ON COLUMN public.api_idempotency.route IS 'Method and pattern of the path: a key belongs to one route';
COMMENT ON COLUMN public.api_idempotency.key IS 'As the client sent it';
COMMENT ON COLUMN public.api_idempotency.response_status IS 'Null while the first request is under way';
COMMENT ON COLUMN public.api_idempotency.response_body IS 'Repeats get it again as it was';
COMMENT ON COLUMN public.api_idempotency.request_hash IS 'The same key with another body is a conflict';
-- The daily clean-up of what is older than 24 hours.
CREATE INDEX api_idempotency_age_idx ON public.api_idempotency (source, created_at);
ALTER TABLE public.api_idempotency ENABLE ROW LEVEL SECURITY;

-- ---------------------------------------------------------------------------------------------------------------
-- A service that is newer than its database waits.

CREATE FUNCTION sb.is_migrated(p_version text) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
  register text;
  found_in_it boolean;
BEGIN
  -- Where dbmate and where the Supabase CLI keep what they have applied. Others may have registers of these names, too.
  FOREACH register IN ARRAY ARRAY['public.schema_migrations', 'supabase_migrations.schema_migrations'] LOOP
    IF to_regclass(register) IS NOT NULL THEN
      EXECUTE format('SELECT EXISTS (SELECT FROM %s WHERE version::text = $1)', register) INTO found_in_it USING p_version;
      IF found_in_it THEN
        RETURN true;
      END IF;
    END IF;
  END LOOP;
  RETURN false;
END
$$;
COMMENT ON FUNCTION sb.is_migrated(text) IS
  'Whether the migration of this timestamp has been applied. Runs with the rights of its owner: the registers are closed to services';

-- ---------------------------------------------------------------------------------------------------------------
-- Users come and go: two facts, relayed by credits.

CREATE TABLE sb.deleted_users (
  user_id uuid PRIMARY KEY,
  deleted_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE sb.deleted_users IS
  'A token outlives the user it was made for; without this mark its next request would give birth again';
ALTER TABLE sb.deleted_users ENABLE ROW LEVEL SECURITY;

CREATE FUNCTION sb.user_created() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
  INSERT INTO public.event_outbox (source, aggregate_type, aggregate_id, aggregate_seq, type, user_id, root_id, data)
  VALUES ('credits', 'user', NEW.id, 1, 'user.created', NEW.id, NEW.id, jsonb_build_object('user_id', NEW.id));
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION sb.user_created() IS 'Runs with the rights of its owner: Supabase inserts users under a role of its own';

CREATE FUNCTION sb.user_deleted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
  INSERT INTO sb.deleted_users (user_id) VALUES (OLD.id) ON CONFLICT (user_id) DO NOTHING;
  DELETE FROM public.api_idempotency WHERE user_id = OLD.id;
  -- Facts of the ledger stay with it, and what is not published yet is still to be told.
  DELETE FROM public.event_outbox
  WHERE user_id = OLD.id AND run_id IS NULL AND published_at IS NOT NULL AND source <> 'credits';
  INSERT INTO public.event_outbox (source, aggregate_type, aggregate_id, aggregate_seq, type, user_id, root_id, data)
  VALUES ('credits', 'user', OLD.id, 2, 'user.deleted', OLD.id, OLD.id, jsonb_build_object('user_id', OLD.id));
  RETURN NULL;
END
$$;

CREATE TRIGGER swissbrain_user_created AFTER INSERT ON auth.users
  FOR EACH ROW EXECUTE FUNCTION sb.user_created();
CREATE TRIGGER swissbrain_user_deleted AFTER DELETE ON auth.users
  FOR EACH ROW EXECUTE FUNCTION sb.user_deleted();

CREATE FUNCTION public.ensure_user(p_user_id uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
  IF p_user_id IS DISTINCT FROM sb.current_user_id() THEN
    RAISE EXCEPTION 'a token vouches for its own user only' USING ERRCODE = 'insufficient_privilege';
  END IF;
  IF EXISTS (SELECT FROM auth.users WHERE id = p_user_id) THEN
    RETURN false;
  END IF;
  IF EXISTS (SELECT FROM sb.deleted_users WHERE user_id = p_user_id)
     OR obj_description('auth.users'::regclass, 'pg_class') IS DISTINCT FROM 'Created by SwissBrain: compatible with Supabase'
  THEN
    RAISE EXCEPTION 'user % does not exist any more', p_user_id USING ERRCODE = 'invalid_authorization_specification';
  END IF;
  INSERT INTO auth.users (id) VALUES (p_user_id) ON CONFLICT (id) DO NOTHING;
  RETURN FOUND;
END
$$;
COMMENT ON FUNCTION public.ensure_user(uuid) IS
  'First request of a verified token: creates its user, true when new. Only for the user in request.jwt.claims. '
  'Raises 28000 for a deleted user, and where Supabase keeps the users for an unknown one';

-- ---------------------------------------------------------------------------------------------------------------
-- Policies and grants: a service writes and reads rows of its own source only, a user's transaction of its own user.

DO $$
DECLARE
  source text;
  service text;
  own constant text := 'user_id = (SELECT sb.current_user_id())';
  -- Twice, so that an empty table raises without a user too: see sb.require_user().
  visible constant text := own || ' AND ' || own;
BEGIN
  FOREACH source IN ARRAY
    ARRAY['agent-runner', 'credits', 'connectors', 'wide-research', 'scheduler', 'collab']
  LOOP
    service := 'sb_' || replace(source, '-', '_');

    EXECUTE format('CREATE POLICY %I ON public.event_outbox FOR ALL TO %I USING (source = %L) WITH CHECK (source = %L)',
                   'event_outbox_' || service, service, source, source);
    EXECUTE format('CREATE POLICY %I ON public.event_outbox FOR INSERT TO %I WITH CHECK (source = %L AND %s)',
                   'event_outbox_append_' || service, service || '_user', source, own);
    EXECUTE format('CREATE POLICY %I ON public.event_outbox FOR SELECT TO %I USING (source = %L AND %s)',
                   'event_outbox_replay_' || service, service || '_user', source, visible);
    EXECUTE format('CREATE POLICY %I ON public.event_inbox FOR ALL TO %I USING (source = %L) WITH CHECK (source = %L)',
                   'event_inbox_' || service, service, source, source);
    EXECUTE format('CREATE POLICY %I ON public.outbox_shards FOR ALL TO %I USING (source = %L) WITH CHECK (source = %L)',
                   'outbox_shards_' || service, service, source, source);
    EXECUTE format('CREATE POLICY %I ON public.api_idempotency FOR ALL TO %I USING (source = %L) WITH CHECK (source = %L)',
                   'api_idempotency_' || service, service, source, source);
    EXECUTE format('CREATE POLICY %I ON public.api_idempotency FOR ALL TO %I USING (source = %L AND %s) WITH CHECK (source = %L AND %s)',
                   'api_idempotency_own_' || service, service || '_user', source, visible, source, own);
  END LOOP;
END
$$;

-- The migration tool's own register, where it is in use, is nobody's business.
DO $$
BEGIN
  IF to_regclass('public.schema_migrations') IS NOT NULL THEN
    ALTER TABLE public.schema_migrations ENABLE ROW LEVEL SECURITY;
    REVOKE ALL ON public.schema_migrations FROM PUBLIC, anon, authenticated, service_role;
  END IF;
END
$$;

REVOKE ALL ON SCHEMA sb, sb_partitions FROM PUBLIC, anon, authenticated, service_role;
REVOKE ALL ON TABLE
  public.event_outbox, public.event_inbox, public.outbox_shards, public.api_idempotency,
  sb.monthly_partitions, sb.deleted_users
  FROM PUBLIC, anon, authenticated, service_role;
REVOKE ALL ON FUNCTION
  public.ensure_user(uuid), sb.current_user_id(), sb.require_user(regclass), sb.create_partition(text, text), sb.add_month(text, timestamp),
  sb.ensure_partitions(), sb.missing_month(text, int), sb.outlived_month(text, interval, text),
  sb.sweep_default(text, interval, text), sb.maintain_partitions(),
  sb.partition_by_month(text, int, interval, text), sb.forget_partitions(text),
  sb.is_migrated(text), sb.user_created(), sb.user_deleted()
  FROM PUBLIC, anon, authenticated, service_role;

GRANT USAGE ON SCHEMA sb TO authenticated;
GRANT EXECUTE ON FUNCTION sb.current_user_id(), sb.require_user(regclass) TO authenticated;

GRANT USAGE ON SCHEMA public, sb, extensions TO
  sb_agent_runner, sb_credits, sb_connectors, sb_wide_research, sb_scheduler, sb_collab;
GRANT SELECT, INSERT, DELETE ON public.event_outbox TO
  sb_agent_runner, sb_credits, sb_connectors, sb_wide_research, sb_scheduler, sb_collab;
GRANT UPDATE (published_at, stream_seq) ON public.event_outbox TO
  sb_agent_runner, sb_credits, sb_connectors, sb_wide_research, sb_scheduler, sb_collab;
GRANT SELECT, INSERT, DELETE ON public.event_inbox TO
  sb_agent_runner, sb_credits, sb_connectors, sb_wide_research, sb_scheduler, sb_collab;
GRANT SELECT, UPDATE ON public.outbox_shards TO
  sb_agent_runner, sb_credits, sb_connectors, sb_wide_research, sb_scheduler, sb_collab;
GRANT SELECT, DELETE ON public.api_idempotency TO
  sb_agent_runner, sb_credits, sb_connectors, sb_wide_research, sb_scheduler, sb_collab;
GRANT EXECUTE ON FUNCTION sb.current_user_id(), sb.is_migrated(text), sb.ensure_partitions(), sb.maintain_partitions() TO
  sb_agent_runner, sb_credits, sb_connectors, sb_wide_research, sb_scheduler, sb_collab;

GRANT USAGE ON SCHEMA public, sb, extensions TO
  sb_agent_runner_user, sb_credits_user, sb_connectors_user, sb_wide_research_user, sb_scheduler_user, sb_collab_user;
GRANT SELECT, INSERT ON public.event_outbox TO
  sb_agent_runner_user, sb_credits_user, sb_connectors_user, sb_wide_research_user, sb_scheduler_user, sb_collab_user;
GRANT SELECT, INSERT ON public.api_idempotency TO
  sb_agent_runner_user, sb_credits_user, sb_connectors_user, sb_wide_research_user, sb_scheduler_user, sb_collab_user;
GRANT UPDATE (request_hash, response_status, response_body, created_at) ON public.api_idempotency TO
  sb_agent_runner_user, sb_credits_user, sb_connectors_user, sb_wide_research_user, sb_scheduler_user, sb_collab_user;
GRANT EXECUTE ON FUNCTION sb.current_user_id(), sb.require_user(regclass), public.ensure_user(uuid) TO
  sb_agent_runner_user, sb_credits_user, sb_connectors_user, sb_wide_research_user, sb_scheduler_user, sb_collab_user;

-- migrate:down

REVOKE USAGE ON SCHEMA public, extensions FROM
  sb_agent_runner, sb_credits, sb_connectors, sb_wide_research, sb_scheduler, sb_collab,
  sb_agent_runner_user, sb_credits_user, sb_connectors_user, sb_wide_research_user, sb_scheduler_user, sb_collab_user;
DROP TRIGGER swissbrain_user_created ON auth.users;
DROP TRIGGER swissbrain_user_deleted ON auth.users;
DROP FUNCTION public.ensure_user(uuid);
DROP TABLE public.event_outbox, public.event_inbox, public.outbox_shards, public.api_idempotency;
DROP SCHEMA sb_partitions;
DROP SCHEMA sb CASCADE;
-- Roles and extensions stay: they belong to the server and to others. So does an auth schema that is not ours.
DO $$
BEGIN
  IF obj_description('auth'::regnamespace, 'pg_namespace') = 'Created by SwissBrain: compatible with Supabase' THEN
    DROP SCHEMA auth CASCADE;
  END IF;
END
$$;
