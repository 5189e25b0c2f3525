-- migrate:up
-- squawk-ignore-file require-lock-timeout
-- (nothing is in use yet when this runs)

-- Wide research: one question asked about many items, each item a run of its own, merged into one result.

CREATE TABLE public.wide_research_templates (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id uuid CONSTRAINT wide_research_templates_user_fkey REFERENCES auth.users (id) ON DELETE CASCADE,
  slug text NOT NULL CONSTRAINT wide_research_templates_slug_form CHECK (slug ~ '^[a-z][a-z0-9_]{1,62}$'),
  name text NOT NULL CONSTRAINT wide_research_templates_name_length CHECK (length(name) BETWEEN 1 AND 200),
  description text NOT NULL DEFAULT '',
  goal text NOT NULL CONSTRAINT wide_research_templates_goal_length CHECK (length(goal) BETWEEN 1 AND 20000),
  item_prompt text NOT NULL
    CONSTRAINT wide_research_templates_item_prompt_length CHECK (length(item_prompt) BETWEEN 1 AND 20000),
  input_schema jsonb NOT NULL CONSTRAINT wide_research_templates_input_schema_object
    CHECK (jsonb_typeof(input_schema) = 'object'),
  output_schema jsonb NOT NULL CONSTRAINT wide_research_templates_output_schema_object
    CHECK (jsonb_typeof(output_schema) = 'object'),
  output_format text NOT NULL DEFAULT 'table' CONSTRAINT wide_research_templates_output_format_known
    CHECK (output_format IN ('table', 'document')),
  version integer NOT NULL DEFAULT 1 CONSTRAINT wide_research_templates_version_positive CHECK (version > 0),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE public.wide_research_templates IS
  'Reusable research: what is asked about an item and the shape of the answer. Shipped ones belong to nobody.';
COMMENT ON COLUMN public.wide_research_templates.slug IS
  'Name in the API, unique among the shipped ones and among those of a user';
COMMENT ON COLUMN public.wide_research_templates.goal IS 'What the whole research is for';
COMMENT ON COLUMN public.wide_research_templates.version IS 'Raised by every change';
COMMENT ON COLUMN public.wide_research_templates.user_id IS 'Null for a template that is shipped and seen by all.';
COMMENT ON COLUMN public.wide_research_templates.item_prompt IS
  'What each item''s run is asked; {{name}} stands for a property of the item.';
COMMENT ON COLUMN public.wide_research_templates.input_schema IS 'JSON Schema of one item.';
COMMENT ON COLUMN public.wide_research_templates.output_schema IS 'JSON Schema of one item''s answer.';

CREATE UNIQUE INDEX wide_research_templates_shipped_slug_idx
  ON public.wide_research_templates (slug) WHERE user_id IS NULL;
CREATE UNIQUE INDEX wide_research_templates_user_slug_idx
  ON public.wide_research_templates (user_id, slug) WHERE user_id IS NOT NULL;

CREATE TABLE public.wide_research_jobs (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id uuid NOT NULL CONSTRAINT wide_research_jobs_user_fkey REFERENCES auth.users (id) ON DELETE CASCADE,
  template_id uuid CONSTRAINT wide_research_jobs_template_fkey
    REFERENCES public.wide_research_templates (id) ON DELETE SET NULL,
  run_id uuid,
  idempotency_key text CONSTRAINT wide_research_jobs_idempotency_key_length
    CHECK (length(idempotency_key) BETWEEN 1 AND 200),
  title text NOT NULL CONSTRAINT wide_research_jobs_title_length CHECK (length(title) BETWEEN 1 AND 200),
  goal text NOT NULL CONSTRAINT wide_research_jobs_goal_length CHECK (length(goal) BETWEEN 1 AND 20000),
  item_prompt text NOT NULL
    CONSTRAINT wide_research_jobs_item_prompt_length CHECK (length(item_prompt) BETWEEN 1 AND 20000),
  items_source jsonb NOT NULL CONSTRAINT wide_research_jobs_items_source_object
    CHECK (jsonb_typeof(items_source) = 'object'),
  output_schema jsonb NOT NULL CONSTRAINT wide_research_jobs_output_schema_object
    CHECK (jsonb_typeof(output_schema) = 'object'),
  output_format text NOT NULL DEFAULT 'table' CONSTRAINT wide_research_jobs_output_format_known
    CHECK (output_format IN ('table', 'document')),
  max_parallel integer CONSTRAINT wide_research_jobs_max_parallel_positive CHECK (max_parallel > 0),
  max_failed_items integer CONSTRAINT wide_research_jobs_max_failed_items_natural CHECK (max_failed_items >= 0),
  budget_micro bigint CONSTRAINT wide_research_jobs_budget_positive CHECK (budget_micro > 0),
  status text NOT NULL DEFAULT 'pending' CONSTRAINT wide_research_jobs_status_known
    CHECK (status IN ('pending', 'running', 'completed', 'failed', 'cancelled')),
  fan_out_done boolean NOT NULL DEFAULT false,
  attempt integer NOT NULL DEFAULT 0 CONSTRAINT wide_research_jobs_attempt_natural CHECK (attempt >= 0),
  lease_owner text,
  lease_until timestamptz,
  cancel_requested_at timestamptz,
  total_items integer NOT NULL DEFAULT 0,
  open_items integer NOT NULL DEFAULT 0,
  completed_items integer NOT NULL DEFAULT 0,
  failed_items integer NOT NULL DEFAULT 0,
  cancelled_items integer NOT NULL DEFAULT 0,
  result_artifact_id uuid,
  error_code text,
  error_message text,
  event_seq bigint NOT NULL DEFAULT 0,
  version integer NOT NULL DEFAULT 1 CONSTRAINT wide_research_jobs_version_positive CHECK (version > 0),
  started_at timestamptz,
  finished_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT wide_research_jobs_id_user_key UNIQUE (id, user_id),
  CONSTRAINT wide_research_jobs_idempotency_key UNIQUE (user_id, idempotency_key),
  CONSTRAINT wide_research_jobs_lease_whole CHECK ((lease_owner IS NULL) = (lease_until IS NULL)),
  CONSTRAINT wide_research_jobs_counters_agree CHECK (
    open_items >= 0 AND completed_items >= 0 AND failed_items >= 0 AND cancelled_items >= 0
    AND total_items = open_items + completed_items + failed_items + cancelled_items
  ),
  CONSTRAINT wide_research_jobs_finished_when_closed
    CHECK ((finished_at IS NOT NULL) = (status IN ('completed', 'failed', 'cancelled'))),
  CONSTRAINT wide_research_jobs_closed_has_no_open_items
    CHECK (status IN ('pending', 'running') OR open_items = 0)
) WITH (fillfactor = 70);

COMMENT ON TABLE public.wide_research_jobs IS
  'One research: the question, its limits, and counters over its items that its items'' trigger keeps.';
COMMENT ON COLUMN public.wide_research_jobs.idempotency_key IS 'A second request with the same key finds this research';
COMMENT ON COLUMN public.wide_research_jobs.goal IS 'What the whole research is for';
COMMENT ON COLUMN public.wide_research_jobs.item_prompt IS
  'What each items run is asked; {{name}} stands for a property of the item';
COMMENT ON COLUMN public.wide_research_jobs.output_schema IS 'JSON Schema of one items answer';
COMMENT ON COLUMN public.wide_research_jobs.max_parallel IS 'Items at a time; null: as many as the tier allows';
COMMENT ON COLUMN public.wide_research_jobs.budget_micro IS 'Micro-credits; null: no limit of its own';
COMMENT ON COLUMN public.wide_research_jobs.lease_owner IS 'The worker that fans out';
COMMENT ON COLUMN public.wide_research_jobs.lease_until IS 'Time of the database; past it another worker may go on';
COMMENT ON COLUMN public.wide_research_jobs.cancel_requested_at IS
  'A cancel is on its way: nothing completes the research any more';
COMMENT ON COLUMN public.wide_research_jobs.total_items IS
  'All items, as the next four kept by trigger_update_wide_research_progress';
COMMENT ON COLUMN public.wide_research_jobs.open_items IS 'Pending or requested';
COMMENT ON COLUMN public.wide_research_jobs.completed_items IS 'Of total_items';
COMMENT ON COLUMN public.wide_research_jobs.failed_items IS 'Of total_items';
COMMENT ON COLUMN public.wide_research_jobs.cancelled_items IS 'Of total_items';
COMMENT ON COLUMN public.wide_research_jobs.result_artifact_id IS 'The merged result';
COMMENT ON COLUMN public.wide_research_jobs.version IS 'Raised by every change a user makes';
COMMENT ON COLUMN public.wide_research_jobs.run_id IS
  'The run that started this research, whose hold its items draw on; null when a user or a schedule did.';
COMMENT ON COLUMN public.wide_research_jobs.items_source IS
  'Where the items come from: {"items": [...]} or {"artifact_id": ...}; fan-out turns it into rows of subtasks.';
COMMENT ON COLUMN public.wide_research_jobs.max_failed_items IS
  'More failed items than this fail the research; null: it fails only when no item succeeds.';
COMMENT ON COLUMN public.wide_research_jobs.fan_out_done IS
  'All items are rows. Until then an empty set of open items does not mean that the work is done.';
COMMENT ON COLUMN public.wide_research_jobs.attempt IS
  'Fence of the worker that fans out: every write of a worker repeats the number it claimed with.';
COMMENT ON COLUMN public.wide_research_jobs.error_code IS
  'Set before fan-out is declared done, it makes the research fail with this reason.';
COMMENT ON COLUMN public.wide_research_jobs.event_seq IS
  'Order of the events about this research (aggregate_seq), raised in the transaction that appends one.';

CREATE INDEX wide_research_jobs_list_idx ON public.wide_research_jobs (user_id, created_at DESC, id DESC);
CREATE INDEX wide_research_jobs_open_idx ON public.wide_research_jobs (lease_until NULLS FIRST, id)
  WHERE status IN ('pending', 'running');
CREATE INDEX wide_research_jobs_run_idx ON public.wide_research_jobs (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX wide_research_jobs_template_idx ON public.wide_research_jobs (template_id) WHERE template_id IS NOT NULL;

CREATE TABLE public.wide_research_subtasks (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  job_id uuid NOT NULL,
  user_id uuid NOT NULL,
  item_index integer NOT NULL CONSTRAINT wide_research_subtasks_item_index_natural CHECK (item_index >= 0),
  item_key text NOT NULL
    CONSTRAINT wide_research_subtasks_item_key_length CHECK (length(item_key) BETWEEN 1 AND 500),
  input jsonb NOT NULL,
  run_id uuid CONSTRAINT wide_research_subtasks_run_key UNIQUE,
  attempt integer NOT NULL DEFAULT 0 CONSTRAINT wide_research_subtasks_attempt_natural CHECK (attempt >= 0),
  status text NOT NULL DEFAULT 'pending' CONSTRAINT wide_research_subtasks_status_known
    CHECK (status IN ('pending', 'requested', 'completed', 'failed', 'cancelled')),
  output jsonb,
  sources jsonb NOT NULL DEFAULT '[]' CONSTRAINT wide_research_subtasks_sources_array
    CHECK (jsonb_typeof(sources) = 'array'),
  error_code text,
  error_message text,
  requested_at timestamptz,
  finished_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT wide_research_subtasks_job_fkey FOREIGN KEY (job_id, user_id)
    REFERENCES public.wide_research_jobs (id, user_id) ON DELETE CASCADE,
  CONSTRAINT wide_research_subtasks_index_key UNIQUE (job_id, item_index),
  CONSTRAINT wide_research_subtasks_item_key UNIQUE (job_id, item_key),
  CONSTRAINT wide_research_subtasks_requested_has_run
    CHECK (status <> 'requested' OR (run_id IS NOT NULL AND requested_at IS NOT NULL)),
  CONSTRAINT wide_research_subtasks_finished_when_closed
    CHECK ((finished_at IS NOT NULL) = (status IN ('completed', 'failed', 'cancelled')))
);

COMMENT ON TABLE public.wide_research_subtasks IS
  'One item of a research. A failed item stays, with its reason: nothing disappears from the result.';
COMMENT ON COLUMN public.wide_research_subtasks.item_index IS 'Order in the result, from 0';
COMMENT ON COLUMN public.wide_research_subtasks.input IS 'Properties of the item, by the templates schema';
COMMENT ON COLUMN public.wide_research_subtasks.output IS 'Answer, by the output schema';
COMMENT ON COLUMN public.wide_research_subtasks.requested_at IS 'When the current attempt was asked for';
COMMENT ON COLUMN public.wide_research_subtasks.item_key IS
  'Identity of the item within the research; asking twice for the same item adds it once.';
COMMENT ON COLUMN public.wide_research_subtasks.run_id IS
  'The run that works on this item, chosen here before it is asked for, so that asking twice starts one run.';
COMMENT ON COLUMN public.wide_research_subtasks.attempt IS
  'How often the item was asked for; each attempt has a new run_id, and a late answer of an old one changes nothing.';
COMMENT ON COLUMN public.wide_research_subtasks.sources IS 'What the answer rests on: [{url, title, quote}].';

CREATE INDEX wide_research_subtasks_pending_idx ON public.wide_research_subtasks (job_id, item_index)
  WHERE status = 'pending';
CREATE INDEX wide_research_subtasks_requested_idx ON public.wide_research_subtasks (requested_at)
  WHERE status = 'requested';
CREATE INDEX wide_research_subtasks_user_idx ON public.wide_research_subtasks (user_id, created_at DESC);

-- ---------------------------------------------------------------------------------------------------------------
-- Progress and completion.
-- Two triggers on two tables: the items' trigger changes the counters, which locks the job; the job's own trigger then
-- sees the newest counters and closes. Both on the items' table would look at counters not yet written.

CREATE FUNCTION public.update_wide_research_progress() RETURNS trigger
LANGUAGE plpgsql
SET search_path = ''
AS $$
DECLARE
  v_was text := CASE WHEN TG_OP <> 'INSERT' THEN OLD.status END;
  v_is text := CASE WHEN TG_OP <> 'DELETE' THEN NEW.status END;
  v_job uuid := CASE WHEN TG_OP = 'DELETE' THEN OLD.job_id ELSE NEW.job_id END;
BEGIN
  IF TG_OP = 'UPDATE' AND (NEW.job_id, NEW.user_id) IS DISTINCT FROM (OLD.job_id, OLD.user_id) THEN
    RAISE EXCEPTION 'an item cannot move to another research' USING ERRCODE = '23514';
  END IF;
  IF TG_OP = 'UPDATE' AND v_was IN ('completed', 'failed', 'cancelled') AND v_is IS DISTINCT FROM v_was THEN
    RAISE EXCEPTION 'item % is already %', OLD.id, v_was USING ERRCODE = '23514';
  END IF;
  -- pending and requested both count as open: going from one to the other changes no counter.
  IF v_is IS NOT DISTINCT FROM v_was
    OR (v_is IN ('pending', 'requested') AND v_was IN ('pending', 'requested')) THEN
    RETURN NULL;
  END IF;
  UPDATE public.wide_research_jobs AS job
  SET total_items = job.total_items + (v_is IS NOT NULL)::integer - (v_was IS NOT NULL)::integer,
    open_items = job.open_items + coalesce(v_is IN ('pending', 'requested'), false)::integer
      - coalesce(v_was IN ('pending', 'requested'), false)::integer,
    completed_items = job.completed_items + coalesce(v_is = 'completed', false)::integer
      - coalesce(v_was = 'completed', false)::integer,
    failed_items = job.failed_items + coalesce(v_is = 'failed', false)::integer
      - coalesce(v_was = 'failed', false)::integer,
    cancelled_items = job.cancelled_items + coalesce(v_is = 'cancelled', false)::integer
      - coalesce(v_was = 'cancelled', false)::integer,
    updated_at = now()
  WHERE job.id = v_job;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION public.update_wide_research_progress() IS
  'Keeps a research''s counters in step with its items, locking the research; a closed item stays closed.';

CREATE TRIGGER trigger_update_wide_research_progress
  AFTER INSERT OR UPDATE OR DELETE ON public.wide_research_subtasks
  FOR EACH ROW EXECUTE FUNCTION public.update_wide_research_progress();

CREATE FUNCTION public.check_wide_research_completion() RETURNS trigger
LANGUAGE plpgsql
SET search_path = ''
AS $$
BEGIN
  IF OLD.status IN ('completed', 'failed', 'cancelled') THEN
    IF NEW.status IS DISTINCT FROM OLD.status THEN
      RAISE EXCEPTION 'research % is already %', OLD.id, OLD.status USING ERRCODE = '23514';
    END IF;
    RETURN NEW;
  END IF;
  IF OLD.cancel_requested_at IS NOT NULL AND NEW.cancel_requested_at IS NULL THEN
    RAISE EXCEPTION 'a requested cancel of research % cannot be taken back', OLD.id USING ERRCODE = '23514';
  END IF;
  IF NEW.status IN ('completed', 'failed') THEN
    RAISE EXCEPTION 'research % closes when its last item does, not by a status', OLD.id USING ERRCODE = '23514';
  END IF;
  IF NEW.status NOT IN ('pending', 'running') OR NOT NEW.fan_out_done OR NEW.open_items > 0
    OR NEW.cancel_requested_at IS NOT NULL THEN
    RETURN NEW;
  END IF;

  IF NEW.error_code IS NULL THEN
    IF NEW.total_items = 0 THEN
      NEW.error_code := 'no_items';
      NEW.error_message := 'there was no item to research';
    ELSIF NEW.completed_items = 0 THEN
      NEW.error_code := 'no_item_succeeded';
      NEW.error_message := format('none of %s items succeeded', NEW.total_items);
    ELSIF NEW.failed_items > NEW.max_failed_items THEN
      NEW.error_code := 'too_many_failed_items';
      NEW.error_message := format('%s items failed, %s were allowed', NEW.failed_items, NEW.max_failed_items);
    END IF;
  END IF;
  NEW.status := CASE WHEN NEW.error_code IS NULL THEN 'completed' ELSE 'failed' END;
  NEW.started_at := coalesce(NEW.started_at, now());
  NEW.finished_at := now();
  NEW.lease_owner := NULL;
  NEW.lease_until := NULL;
  NEW.event_seq := NEW.event_seq + 1;

  INSERT INTO public.event_outbox
    (source, aggregate_type, aggregate_id, aggregate_seq, type, user_id, root_id, data)
  VALUES (
    'wide-research', 'research', NEW.id, NEW.event_seq, 'research.' || NEW.status, NEW.user_id, NEW.user_id,
    jsonb_build_object(
      'research_id', NEW.id,
      'run_id', NEW.run_id,
      'total_items', NEW.total_items,
      'completed_items', NEW.completed_items,
      'failed_items', NEW.failed_items,
      'cancelled_items', NEW.cancelled_items,
      'error', CASE WHEN NEW.error_code IS NOT NULL THEN
        jsonb_build_object('code', NEW.error_code, 'message', coalesce(NEW.error_message, NEW.error_code)) END
    )
  );
  RETURN NEW;
END
$$;
COMMENT ON FUNCTION public.check_wide_research_completion() IS
  'Closes a research as completed or failed when fan-out is done and no item is open, and appends the closing event. '
  'The only writer of these two states; a closed research stays closed.';

CREATE TRIGGER trigger_check_wide_research_completion
  BEFORE UPDATE ON public.wide_research_jobs
  FOR EACH ROW EXECUTE FUNCTION public.check_wide_research_completion();

-- ---------------------------------------------------------------------------------------------------------------
-- Row-level security.

ALTER TABLE public.wide_research_templates ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.wide_research_jobs ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.wide_research_subtasks ENABLE ROW LEVEL SECURITY;

CREATE POLICY wide_research_templates_select_shipped ON public.wide_research_templates
  FOR SELECT TO authenticated, sb_wide_research_user
  USING (
    tableoid = 'public.wide_research_templates'::regclass
    AND tableoid = (SELECT sb.require_user('public.wide_research_templates'))
    AND user_id IS NULL
  );
CREATE POLICY wide_research_templates_own ON public.wide_research_templates
  FOR ALL TO authenticated, sb_wide_research_user
  USING (
    tableoid = 'public.wide_research_templates'::regclass
    AND tableoid = (SELECT sb.require_user('public.wide_research_templates'))
    AND user_id = (SELECT sb.current_user_id())
  )
  WITH CHECK (user_id = (SELECT sb.current_user_id()));
CREATE POLICY wide_research_templates_service ON public.wide_research_templates
  FOR ALL TO sb_wide_research USING (true) WITH CHECK (true);

CREATE POLICY wide_research_jobs_select ON public.wide_research_jobs
  FOR SELECT TO authenticated, sb_wide_research_user
  USING (user_id = (SELECT sb.current_user_id()) AND user_id = (SELECT sb.current_user_id()));
-- Templates may be nobody's, so no foreign key can bind their user; one on the id alone would tell which ids exist.
CREATE POLICY wide_research_jobs_insert ON public.wide_research_jobs
  FOR INSERT TO authenticated, sb_wide_research_user
  WITH CHECK (
    user_id = (SELECT sb.current_user_id())
    AND (template_id IS NULL OR EXISTS (SELECT FROM public.wide_research_templates AS seen WHERE seen.id = template_id))
  );
CREATE POLICY wide_research_jobs_update ON public.wide_research_jobs
  FOR UPDATE TO authenticated, sb_wide_research_user
  USING (user_id = (SELECT sb.current_user_id()) AND user_id = (SELECT sb.current_user_id()))
  WITH CHECK (user_id = (SELECT sb.current_user_id()));
CREATE POLICY wide_research_jobs_service ON public.wide_research_jobs
  FOR ALL TO sb_wide_research USING (true) WITH CHECK (true);

CREATE POLICY wide_research_subtasks_select ON public.wide_research_subtasks
  FOR SELECT TO authenticated, sb_wide_research_user
  USING (user_id = (SELECT sb.current_user_id()) AND user_id = (SELECT sb.current_user_id()));
CREATE POLICY wide_research_subtasks_service ON public.wide_research_subtasks
  FOR ALL TO sb_wide_research USING (true) WITH CHECK (true);

-- ---------------------------------------------------------------------------------------------------------------
-- Grants.

REVOKE ALL ON public.wide_research_templates, public.wide_research_jobs, public.wide_research_subtasks
  FROM PUBLIC, anon, authenticated, service_role;
REVOKE ALL ON FUNCTION public.update_wide_research_progress(), public.check_wide_research_completion()
  FROM PUBLIC, anon, authenticated, service_role;

GRANT SELECT ON public.wide_research_templates, public.wide_research_jobs, public.wide_research_subtasks
  TO authenticated, sb_wide_research_user;
GRANT INSERT, DELETE ON public.wide_research_templates TO sb_wide_research_user;
GRANT UPDATE (
  slug, name, description, goal, item_prompt, input_schema, output_schema, output_format, version, updated_at
) ON public.wide_research_templates TO sb_wide_research_user;
GRANT INSERT (
  id, user_id, template_id, run_id, idempotency_key, title, goal, item_prompt, items_source, output_schema,
  output_format, max_parallel, max_failed_items, budget_micro, event_seq
) ON public.wide_research_jobs TO sb_wide_research_user;
-- A user may rename a research and ask for its end; everything else about it is the service's to say.
GRANT UPDATE (title, cancel_requested_at, event_seq, version, updated_at) ON public.wide_research_jobs
  TO sb_wide_research_user;
GRANT SELECT, INSERT, UPDATE, DELETE
  ON public.wide_research_templates, public.wide_research_jobs, public.wide_research_subtasks TO sb_wide_research;

-- ---------------------------------------------------------------------------------------------------------------
-- Shipped templates.

INSERT INTO public.wide_research_templates
  (id, slug, name, description, goal, item_prompt, input_schema, output_schema, output_format)
VALUES
(
  'a0000000-0000-4000-8000-000000000001', 'company_profiles', 'Company profiles',
  'The same short profile of every company in a list.',
  'Build comparable profiles of the companies in the list.',
  'Profile the company {{name}} ({{website}}). Use its own pages and independent sources, and say so where they disagree.',
  '{"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "website": {"type": "string"}}}',
  '{"type": "object", "required": ["summary"], "properties": {"summary": {"type": "string"}, "founded": {"type": ["integer", "null"]}, "headquarters": {"type": ["string", "null"]}, "employees": {"type": ["string", "null"]}, "products": {"type": "array", "items": {"type": "string"}}, "funding": {"type": ["string", "null"]}}}',
  'table'
),
(
  'a0000000-0000-4000-8000-000000000002', 'product_comparison', 'Product comparison',
  'Features, price and known problems of every product in a list.',
  'Compare the products in the list for someone who has to choose one.',
  'Describe {{name}} for a buyer: what it does well, what it costs, what its users complain about.',
  '{"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}',
  '{"type": "object", "required": ["strengths", "complaints"], "properties": {"price": {"type": ["string", "null"]}, "strengths": {"type": "array", "items": {"type": "string"}}, "complaints": {"type": "array", "items": {"type": "string"}}, "suits": {"type": ["string", "null"]}}}',
  'table'
),
(
  'a0000000-0000-4000-8000-000000000003', 'literature_review', 'Literature review',
  'Question, method, findings and limits of every paper in a list, merged into a review.',
  'Review the papers in the list and say what they establish together.',
  'Read the paper "{{title}}" ({{url}}). State its question, method, data, findings and limits, in its own terms.',
  '{"type": "object", "required": ["title"], "properties": {"title": {"type": "string"}, "url": {"type": "string"}}}',
  '{"type": "object", "required": ["question", "findings"], "properties": {"question": {"type": "string"}, "method": {"type": ["string", "null"]}, "data": {"type": ["string", "null"]}, "findings": {"type": "array", "items": {"type": "string"}}, "limits": {"type": "array", "items": {"type": "string"}}}}',
  'document'
),
(
  'a0000000-0000-4000-8000-000000000004', 'fact_check', 'Fact check',
  'A verdict with sources for every claim in a list.',
  'Check each claim in the list against primary sources.',
  'Check the claim: "{{claim}}". Look for the primary source. Answer unclear rather than guess.',
  '{"type": "object", "required": ["claim"], "properties": {"claim": {"type": "string"}}}',
  '{"type": "object", "required": ["verdict", "reason"], "properties": {"verdict": {"enum": ["true", "false", "misleading", "unclear"]}, "reason": {"type": "string"}}}',
  'table'
);

-- migrate:down

DROP TABLE public.wide_research_subtasks;
DROP TABLE public.wide_research_jobs;
DROP TABLE public.wide_research_templates;
DROP FUNCTION public.check_wide_research_completion();
DROP FUNCTION public.update_wide_research_progress();
