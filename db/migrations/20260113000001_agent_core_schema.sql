-- migrate:up
-- squawk-ignore-file require-lock-timeout
-- (nothing is in use yet when this runs)

-- The slice of agent-runner: runs, their steps, artifacts and messages, and what agents remember.

CREATE TYPE public.agent_run_status AS ENUM (
  'pending', 'queued', 'planning', 'running', 'waiting_input', 'paused',
  'completed', 'failed', 'cancelled', 'timed_out'
);
COMMENT ON TYPE public.agent_run_status IS 'The last four are terminal: reached once, never left';
CREATE TYPE public.agent_step_status AS ENUM ('pending', 'running', 'completed', 'failed', 'skipped', 'cancelled');
COMMENT ON TYPE public.agent_step_status IS 'pending and running are open; a run ends when none of its steps is';
CREATE TYPE public.tool_type AS ENUM (
  'llm', 'code', 'browser', 'search', 'file', 'image', 'connector', 'wide_research', 'memory', 'schedule', 'collab', 'human'
);
CREATE TYPE public.agent_mode AS ENUM (
  'general', 'chat', 'research', 'wide_research', 'coding', 'data_analysis',
  'writing', 'presentation', 'design', 'browser', 'automation', 'playbook'
);

-- ---------------------------------------------------------------------------------------------------------------
-- Runs.

-- Few checks on purpose, here and on agent_steps: Postgres parses every one of them anew for each statement, and each
-- step updates its run several times. Shapes of what is stored are the business of the schemas at the edges.
CREATE TABLE public.agent_runs (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id uuid NOT NULL,
  tenant_id uuid,
  parent_run_id uuid,
  root_run_id uuid NOT NULL,
  parent_step_id uuid,
  forked_from uuid,
  mode public.agent_mode NOT NULL DEFAULT 'general',
  kind text NOT NULL CHECK (kind IN ('playbook', 'goal')),
  title text NOT NULL,
  goal text,
  playbook jsonb,
  playbook_ref jsonb,
  inputs jsonb NOT NULL DEFAULT '{}',
  inputs_ref jsonb,
  options jsonb NOT NULL DEFAULT '{}',
  status public.agent_run_status NOT NULL DEFAULT 'pending',
  attempt int NOT NULL DEFAULT 0,
  lease_owner text,
  lease_until timestamptz,
  run_seq bigint NOT NULL DEFAULT 0,
  session_no int NOT NULL DEFAULT 1,
  session_name text,
  workspace_key text,
  cancel_requested_at timestamptz,
  pause_requested_at timestamptz,
  pause_reason text,
  granted_at timestamptz,
  idle_since timestamptz,
  idle_ms bigint NOT NULL DEFAULT 0,
  rests int NOT NULL DEFAULT 0,
  planning_done boolean NOT NULL DEFAULT false,
  step_count int NOT NULL DEFAULT 0,
  open_steps int NOT NULL DEFAULT 0,
  completed_steps int NOT NULL DEFAULT 0,
  failed_steps int NOT NULL DEFAULT 0,
  required_failed_steps int NOT NULL DEFAULT 0,
  billable_steps int NOT NULL DEFAULT 0,
  consumed_micro bigint NOT NULL DEFAULT 0,
  held_micro bigint NOT NULL DEFAULT 0,
  budget_micro bigint,
  reservation_id uuid,
  reservation jsonb,
  weight int NOT NULL DEFAULT 1,
  max_parallel int,
  output jsonb,
  output_ref jsonb,
  error_code text,
  error_message text,
  queued_at timestamptz,
  started_at timestamptz,
  finished_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (id, user_id),
  UNIQUE (id, root_run_id, user_id),
  -- A child has its parent's root and its parent's user, so the root is its true origin: nobody draws on a hold of others.
  FOREIGN KEY (parent_run_id, root_run_id, user_id)
    REFERENCES public.agent_runs (id, root_run_id, user_id) ON DELETE CASCADE,
  CONSTRAINT agent_runs_root_check CHECK ((parent_run_id IS NULL) = (root_run_id = id)),
  CONSTRAINT agent_runs_given_check CHECK (playbook IS NOT NULL OR goal IS NOT NULL),
  -- By order of the enum: the terminal states come last.
  CONSTRAINT agent_runs_finished_check CHECK ((status >= 'completed') = (finished_at IS NOT NULL))
) WITH (
  fillfactor = 60, -- every step rewrites its run: room on the page keeps that off the indexes
  toast_tuple_target = 512 -- and what is long and never changes, as the playbook, is not rewritten with it
);
COMMENT ON TABLE public.agent_runs IS 'One run of an agent: a playbook that was given or a goal that the model plans for';
COMMENT ON COLUMN public.agent_runs.tenant_id IS 'Tenant of the token that asked for the run';
COMMENT ON COLUMN public.agent_runs.goal IS 'What to reach; null for a playbook';
COMMENT ON COLUMN public.agent_runs.playbook IS 'The steps as they were given; null for a goal';
COMMENT ON COLUMN public.agent_runs.inputs IS 'Values that steps refer to';
COMMENT ON COLUMN public.agent_runs.options IS 'Choices of the one who asked, beside the budget';
COMMENT ON COLUMN public.agent_runs.lease_owner IS 'The worker that has the run, or the dispatcher that has offered it';
COMMENT ON COLUMN public.agent_runs.step_count IS 'All steps, as the next four kept by the triggers of agent_steps';
COMMENT ON COLUMN public.agent_runs.completed_steps IS 'Of step_count';
COMMENT ON COLUMN public.agent_runs.failed_steps IS 'Of step_count';
COMMENT ON COLUMN public.agent_runs.required_failed_steps IS 'One is enough for the run to fail';
COMMENT ON COLUMN public.agent_runs.reservation_id IS
  'The hold of credits it draws on; null until credits has answered';
COMMENT ON COLUMN public.agent_runs.weight IS 'Of its tier in the waiting line: twice the weight waits half as long';
COMMENT ON COLUMN public.agent_runs.max_parallel IS 'Of the runs below one root so many are worked on at once; null is no limit';
COMMENT ON COLUMN public.agent_runs.output IS 'Result of the run';
COMMENT ON COLUMN public.agent_runs.playbook_ref IS
  'Where object storage keeps the playbook when it is larger than 64 KiB: {key, size_bytes, sha256}; playbook is then an empty object';
COMMENT ON COLUMN public.agent_runs.inputs_ref IS 'As playbook_ref, of inputs';
COMMENT ON COLUMN public.agent_runs.output_ref IS 'As playbook_ref, of output';
COMMENT ON COLUMN public.agent_runs.root_run_id IS 'The run itself, or the run on whose hold a child draws';
COMMENT ON COLUMN public.agent_runs.attempt IS
  'The fence: raised by each claim and repeated by every write of a worker, so that one that lost its claim writes nothing';
COMMENT ON COLUMN public.agent_runs.lease_until IS 'Time of the database; past it another worker may claim the run';
COMMENT ON COLUMN public.agent_runs.run_seq IS 'Number of the last event of this run; taken in the transaction that writes the event';
COMMENT ON COLUMN public.agent_runs.session_no IS 'Part of the sandbox session''s name; raised only when a session is lost';
COMMENT ON COLUMN public.agent_runs.session_name IS
  'The session of session_no where it was there before the run: written before it is taken. Null where run and number name it';
COMMENT ON COLUMN public.agent_runs.cancel_requested_at IS 'A cancel is on its way: nothing completes the run any more';
COMMENT ON COLUMN public.agent_runs.parent_step_id IS 'The step of the parent that waits for this run; null where none does';
COMMENT ON COLUMN public.agent_runs.forked_from IS 'The run whose first steps this one was given; it may be gone';
COMMENT ON COLUMN public.agent_runs.workspace_key IS
  'Where object storage keeps the workspace as the last step left it; the next session begins with it. Empty: it was too large';
COMMENT ON COLUMN public.agent_runs.pause_requested_at IS 'A pause is on its way, or the run is paused: its worker starts no further step';
COMMENT ON COLUMN public.agent_runs.pause_reason IS 'user or credits; null unless a pause was asked for';
COMMENT ON COLUMN public.agent_runs.granted_at IS 'When its user last got credits, by the time of the fact: what was exhausted before is not any more';
COMMENT ON COLUMN public.agent_runs.idle_since IS 'Since when the run waits for input or is paused; null in all other states';
COMMENT ON COLUMN public.agent_runs.idle_ms IS 'Milliseconds it has waited or been paused so far: they are not of its wall clock';
COMMENT ON COLUMN public.agent_runs.rests IS 'Attempts that ended in order, to wait or to pause; the others ended with their worker';
COMMENT ON COLUMN public.agent_runs.planning_done IS 'No further step will be added: the run ends with its last open step';
COMMENT ON COLUMN public.agent_runs.open_steps IS 'Steps that are pending or running; kept by the triggers of agent_steps';
COMMENT ON COLUMN public.agent_runs.billable_steps IS 'Steps with usage: settlement waits until credits has recorded as many';
COMMENT ON COLUMN public.agent_runs.consumed_micro IS 'Micro-credits of finished steps at the frozen prices, by our own count';
COMMENT ON COLUMN public.agent_runs.held_micro IS 'Micro-credits that credits holds for this run';
COMMENT ON COLUMN public.agent_runs.budget_micro IS 'The most the user will spend on this run; null is no limit of its own';
COMMENT ON COLUMN public.agent_runs.reservation IS 'Frozen prices and tier limits as credits.reserved gave them';

-- None of these holds a column that a step changes (counters, run_seq, lease), see fillfactor above.
-- A user's runs, newest first, by page; and the same with one status. As a condition of the index, not as its column:
-- under row-level security Postgres looks nothing up by the value of an enum, whose operators might leak.
CREATE INDEX agent_runs_user_idx ON public.agent_runs (user_id, created_at DESC, id DESC);
CREATE INDEX agent_runs_user_open_idx ON public.agent_runs (user_id, created_at DESC, id DESC)
  WHERE status IN ('pending', 'queued', 'planning', 'running', 'waiting_input', 'paused');
CREATE INDEX agent_runs_user_unsuccessful_idx ON public.agent_runs (user_id, created_at DESC, id DESC)
  WHERE status IN ('failed', 'cancelled', 'timed_out');
-- Children of a run; the tree under a root.
CREATE INDEX agent_runs_parent_idx ON public.agent_runs (parent_run_id) WHERE parent_run_id IS NOT NULL;
CREATE INDEX agent_runs_root_idx ON public.agent_runs (root_run_id, created_at);
-- Forks and retries of a run.
CREATE INDEX agent_runs_forked_idx ON public.agent_runs (forked_from) WHERE forked_from IS NOT NULL;
-- The dispatcher: the waiting line, by rank per user.
CREATE INDEX agent_runs_queued_idx ON public.agent_runs (user_id, queued_at, id) WHERE status = 'queued';
-- Reconcilers: runs in work whose lease has run out, and runs that never got an answer from credits.
CREATE INDEX agent_runs_active_idx ON public.agent_runs (status, started_at)
  WHERE status IN ('planning', 'running', 'waiting_input', 'paused');
CREATE INDEX agent_runs_pending_idx ON public.agent_runs (created_at) WHERE status = 'pending';
-- Runs that have been admitted and have not ended: heartbeats of their holds page by page, a dispatcher's tickets.
CREATE INDEX agent_runs_live_idx ON public.agent_runs (id)
  WHERE status IN ('queued', 'planning', 'running', 'waiting_input', 'paused');
-- Cancels on their way.
CREATE INDEX agent_runs_cancelling_idx ON public.agent_runs (cancel_requested_at)
  WHERE cancel_requested_at IS NOT NULL AND finished_at IS NULL;
-- What a user who leaves has finished.
CREATE INDEX agent_runs_finished_idx ON public.agent_runs (user_id, finished_at) WHERE finished_at IS NOT NULL;
-- Retention by tier: when a finished run's days are over. Null: never. A run that never got a hold has no tier; 30 days.
-- At UTC, because only then is the sum immutable.
CREATE INDEX agent_runs_expiry_idx ON public.agent_runs (
  ((finished_at AT TIME ZONE 'UTC') + make_interval(days =>
    CASE WHEN reservation IS NULL THEN 30 ELSE (reservation #>> '{limits,retention_days}')::int END))
) WHERE finished_at IS NOT NULL;

-- ---------------------------------------------------------------------------------------------------------------
-- Steps. Hot: keys only, no index on status, so that finishing a step touches no index.

CREATE TABLE public.agent_steps (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  run_id uuid NOT NULL,
  user_id uuid NOT NULL,
  step_index int NOT NULL,
  step_key text NOT NULL,
  tool public.tool_type NOT NULL,
  name text NOT NULL,
  input jsonb NOT NULL DEFAULT '{}',
  input_ref jsonb,
  output jsonb,
  output_ref jsonb,
  needs text[] NOT NULL DEFAULT '{}',
  required boolean NOT NULL DEFAULT true,
  status public.agent_step_status NOT NULL DEFAULT 'pending',
  attempt int NOT NULL DEFAULT 0,
  tries jsonb NOT NULL DEFAULT '[]',
  usage jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(usage) = 'array'),
  billable boolean NOT NULL GENERATED ALWAYS AS (usage <> '[]'::jsonb) STORED,
  cost_micro bigint NOT NULL DEFAULT 0,
  error_code text,
  error_message text,
  duration_ms bigint,
  started_at timestamptz,
  finished_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (id, user_id),
  -- A run has one user, so user_id adds nothing here but this: a key that collides with one in a run of somebody else
  -- would tell that the run exists, and with another user_id it is a missing parent instead. The same below.
  CONSTRAINT agent_steps_run_id_step_index_key UNIQUE (run_id, step_index, user_id),
  CONSTRAINT agent_steps_run_id_step_key_key UNIQUE (run_id, step_key, user_id),
  FOREIGN KEY (run_id, user_id) REFERENCES public.agent_runs (id, user_id) ON DELETE CASCADE
) WITH (fillfactor = 70);
COMMENT ON TABLE public.agent_steps IS 'One call of a tool or a model within a run; its id is the key of its execution and its bill';
COMMENT ON COLUMN public.agent_steps.step_index IS 'Order within the run, from 0';
COMMENT ON COLUMN public.agent_steps.input IS 'Arguments of the call';
COMMENT ON COLUMN public.agent_steps.output IS 'Answer of the call; null until it has ended';
COMMENT ON COLUMN public.agent_steps.input_ref IS
  'Where object storage keeps the input when it is larger than 64 KiB: {key, size_bytes, sha256}; input is then an empty object';
COMMENT ON COLUMN public.agent_steps.output_ref IS
  'As input_ref, of output; of a model''s answer the row keeps model and tokens, from which usage is added up';
COMMENT ON COLUMN public.agent_steps.billable IS 'Whether it has usage';
COMMENT ON COLUMN public.agent_steps.duration_ms IS 'As the worker measured it';
COMMENT ON COLUMN public.agent_steps.step_key IS 'Name within the run: references and needs use it, and a resumed worker finds its step by it';
COMMENT ON COLUMN public.agent_steps.needs IS 'Keys of the steps that must be done first';
COMMENT ON COLUMN public.agent_steps.required IS 'A failed required step fails the run';
COMMENT ON COLUMN public.agent_steps.attempt IS 'Attempt of the run under which the step was started';
COMMENT ON COLUMN public.agent_steps.tries IS
  'Calls that failed and were made again: list of {code, message, usage}; written before the next one begins';
COMMENT ON COLUMN public.agent_steps.usage IS 'List of {operation, quantity}, as step.completed carries it to credits';
COMMENT ON COLUMN public.agent_steps.cost_micro IS 'Micro-credits of the usage at the frozen prices, by our own count';

-- ---------------------------------------------------------------------------------------------------------------
-- Artifacts, messages, memory.

CREATE TABLE public.agent_artifacts (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  run_id uuid,
  user_id uuid NOT NULL,
  step_id uuid,
  kind text NOT NULL CHECK (kind IN ('input', 'output', 'workspace', 'log', 'payload', 'upload')),
  name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 1000),
  media_type text NOT NULL,
  size_bytes bigint NOT NULL CHECK (size_bytes >= 0),
  sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  storage_key text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT agent_artifacts_upload_check CHECK ((kind = 'upload') = (run_id IS NULL)),
  CONSTRAINT agent_artifacts_run_id_kind_name_sha256_key UNIQUE (run_id, kind, name, sha256, user_id),
  FOREIGN KEY (run_id, user_id) REFERENCES public.agent_runs (id, user_id) ON DELETE CASCADE,
  FOREIGN KEY (step_id, user_id) REFERENCES public.agent_steps (id, user_id) ON DELETE SET NULL (step_id)
);
COMMENT ON TABLE public.agent_artifacts IS 'Files of a run, by content; the bytes are in object storage';
COMMENT ON COLUMN public.agent_artifacts.run_id IS
  'Null for an upload: runs that are given it have a row of their own for the same bytes, so it may go before them';
COMMENT ON COLUMN public.agent_artifacts.kind IS
  'payload: no file, but a value that was too large for its row, which names it; the run''s rows are what keeps its bytes';
COMMENT ON COLUMN public.agent_artifacts.media_type IS 'As it is served';
COMMENT ON COLUMN public.agent_artifacts.size_bytes IS 'Of the content';
COMMENT ON COLUMN public.agent_artifacts.sha256 IS 'The content in lower-case hexadecimal';
COMMENT ON COLUMN public.agent_artifacts.storage_key IS
  'Where the object storage keeps the bytes; equal contents share it';
COMMENT ON COLUMN public.agent_artifacts.name IS 'Path in the workspace; the same name may have several contents over time';
-- A user's files, newest first.
CREATE INDEX agent_artifacts_user_idx ON public.agent_artifacts (user_id, created_at DESC, id DESC);
-- Uploads: how much a user has, and which are past their days.
CREATE INDEX agent_artifacts_upload_idx ON public.agent_artifacts (user_id, created_at) WHERE run_id IS NULL;
-- The files of a step.
CREATE INDEX agent_artifacts_step_idx ON public.agent_artifacts (step_id) WHERE step_id IS NOT NULL;
-- Clean-up of the store: is this object still in use?
CREATE INDEX agent_artifacts_storage_idx ON public.agent_artifacts (storage_key);

CREATE TABLE public.agent_messages (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  run_id uuid NOT NULL,
  user_id uuid NOT NULL,
  message_index int NOT NULL CHECK (message_index >= 0),
  role text NOT NULL CHECK (role IN ('system', 'user', 'assistant', 'tool')),
  content jsonb NOT NULL,
  content_ref jsonb,
  step_id uuid,
  input_tokens bigint NOT NULL DEFAULT 0 CHECK (input_tokens >= 0),
  output_tokens bigint NOT NULL DEFAULT 0 CHECK (output_tokens >= 0),
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT agent_messages_run_id_message_index_key UNIQUE (run_id, message_index, user_id),
  FOREIGN KEY (run_id, user_id) REFERENCES public.agent_runs (id, user_id) ON DELETE CASCADE,
  FOREIGN KEY (step_id, user_id) REFERENCES public.agent_steps (id, user_id) ON DELETE SET NULL (step_id)
);
COMMENT ON TABLE public.agent_messages IS 'The conversation of a run with its model, in order; a resumed worker goes on from here';
COMMENT ON COLUMN public.agent_messages.message_index IS 'Place in the conversation, from 0';
COMMENT ON COLUMN public.agent_messages.content IS 'Text or parts, as the models interface takes them';
COMMENT ON COLUMN public.agent_messages.content_ref IS
  'Where object storage keeps the content when it is larger than 64 KiB: {key, size_bytes, sha256}; content is then an empty object';
COMMENT ON COLUMN public.agent_messages.input_tokens IS 'As the model counted; 0 for what it did not produce';
COMMENT ON COLUMN public.agent_messages.output_tokens IS 'As the model counted; 0 for what it did not produce';
-- The messages of a step.
CREATE INDEX agent_messages_step_idx ON public.agent_messages (step_id) WHERE step_id IS NOT NULL;

CREATE TABLE public.agent_questions (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  run_id uuid NOT NULL,
  user_id uuid NOT NULL,
  step_id uuid NOT NULL,
  kind text NOT NULL CHECK (kind IN ('question', 'approval')),
  prompt text NOT NULL,
  choices jsonb,
  answer_schema jsonb,
  tool text,
  tool_input jsonb,
  default_answer jsonb,
  status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'answered', 'timed_out')),
  answer jsonb,
  expires_at timestamptz NOT NULL,
  answered_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT agent_questions_answered_check CHECK (status = 'open' OR answered_at IS NOT NULL),
  CONSTRAINT agent_questions_step_id_kind_key UNIQUE (step_id, kind, user_id),
  FOREIGN KEY (run_id, user_id) REFERENCES public.agent_runs (id, user_id) ON DELETE CASCADE,
  FOREIGN KEY (step_id, user_id) REFERENCES public.agent_steps (id, user_id) ON DELETE CASCADE
);
COMMENT ON TABLE public.agent_questions IS
  'What a step asks its user: one question of each kind. A row, so that an answer survives whoever asked';
COMMENT ON COLUMN public.agent_questions.kind IS 'A question of the human tool, or the approval that a call of a tool needs';
COMMENT ON COLUMN public.agent_questions.choices IS 'The answers there are, as texts; null where any will do';
COMMENT ON COLUMN public.agent_questions.answer_schema IS 'JSON Schema of the answer; null where any will do';
COMMENT ON COLUMN public.agent_questions.tool IS 'What is to be approved; null for a question';
COMMENT ON COLUMN public.agent_questions.tool_input IS 'The arguments that are approved, and no others';
COMMENT ON COLUMN public.agent_questions.default_answer IS 'Taken when nobody answers in time; null fails the step';
COMMENT ON COLUMN public.agent_questions.answer IS 'Of the user, or after expires_at the default';
COMMENT ON COLUMN public.agent_questions.prompt IS 'As the user is shown it';
COMMENT ON COLUMN public.agent_questions.answered_at IS 'When it was answered, or its time was up';
COMMENT ON COLUMN public.agent_questions.expires_at IS 'Time of the database';
-- The questions of a run, by page; questions whose time is up.
CREATE INDEX agent_questions_run_idx ON public.agent_questions (run_id, created_at, id);
CREATE INDEX agent_questions_open_idx ON public.agent_questions (expires_at) WHERE status = 'open';

CREATE TABLE public.agent_memory (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id uuid NOT NULL,
  tenant_id uuid,
  run_id uuid,
  namespace text NOT NULL DEFAULT 'default' CHECK (char_length(namespace) BETWEEN 1 AND 200),
  key text NOT NULL CHECK (char_length(key) BETWEEN 1 AND 500),
  content text NOT NULL,
  metadata jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metadata) = 'object'),
  search tsvector NOT NULL GENERATED ALWAYS AS (to_tsvector('simple'::regconfig, key || ' ' || content)) STORED,
  embedding real[],
  embedding_model text CHECK (char_length(embedding_model) BETWEEN 1 AND 200),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (user_id, namespace, key),
  CONSTRAINT agent_memory_embedding_whole CHECK ((embedding IS NULL) = (embedding_model IS NULL)),
  CONSTRAINT agent_memory_embedding_size CHECK (cardinality(embedding) BETWEEN 1 AND 4096),
  FOREIGN KEY (run_id, user_id) REFERENCES public.agent_runs (id, user_id) ON DELETE SET NULL (run_id)
);
COMMENT ON TABLE public.agent_memory IS 'What agents keep for a user from one run to the next';
COMMENT ON COLUMN public.agent_memory.tenant_id IS 'Tenant of the token under which it was written';
COMMENT ON COLUMN public.agent_memory.namespace IS 'Keys are unique within it';
COMMENT ON COLUMN public.agent_memory.key IS 'Name by which it is recalled';
COMMENT ON COLUMN public.agent_memory.metadata IS 'What the writer keeps beside it; not searched';
COMMENT ON COLUMN public.agent_memory.run_id IS 'The run that wrote it first; the memory outlives the run';
COMMENT ON COLUMN public.agent_memory.search IS 'Words of key and content, no language assumed';
COMMENT ON COLUMN public.agent_memory.embedding IS 'Meaning of key and content, of length 1; null where no model gave one';
COMMENT ON COLUMN public.agent_memory.embedding_model IS
  'Model and number of dimensions: only embeddings of the same can be compared';
-- Full text search; the newest of a user; what a run has written.
CREATE INDEX agent_memory_search_idx ON public.agent_memory USING gin (search);
CREATE INDEX agent_memory_user_idx ON public.agent_memory (user_id, updated_at DESC, id DESC);
CREATE INDEX agent_memory_run_idx ON public.agent_memory (run_id) WHERE run_id IS NOT NULL;

-- ---------------------------------------------------------------------------------------------------------------
-- The counters of a run, and its end.
--
-- Two triggers on two tables, one after the other (and a third for steps that are new). A step that ends changes the counters, which locks the run's row,
-- so steps that end at once queue up there; whoever takes open_steps to 0 closes the run in that same UPDATE.

-- With the rights of its owner and a plan made once: it runs with every step, and the policies of the caller's role
-- would be planned into its UPDATE each time. Foreign key and policies of agent_steps have bound the step to its run.
CREATE FUNCTION public.update_run_statistics() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  total int := -1;
  opened int := 0;
  completed int := 0;
  failed int := 0;
  required_failed int := 0;
  billed int := 0;
  cost bigint := 0;
BEGIN
  IF OLD.status IN ('pending', 'running') THEN opened := -1; ELSE cost := -OLD.cost_micro; END IF;
  IF OLD.status = 'completed' THEN completed := -1; END IF;
  IF OLD.status = 'failed' THEN
    failed := -1;
    IF OLD.required THEN required_failed := -1; END IF;
  END IF;
  IF OLD.billable THEN billed := -1; END IF;
  IF TG_OP = 'UPDATE' THEN
    total := total + 1;
    IF NEW.status IN ('pending', 'running') THEN opened := opened + 1; ELSE cost := cost + NEW.cost_micro; END IF;
    IF NEW.status = 'completed' THEN completed := completed + 1; END IF;
    IF NEW.status = 'failed' THEN
      failed := failed + 1;
      IF NEW.required THEN required_failed := required_failed + 1; END IF;
    END IF;
    IF NEW.billable THEN billed := billed + 1; END IF;
  END IF;

  IF (total, opened, completed, failed, required_failed, billed, cost) <> (0, 0, 0, 0, 0, 0, 0) THEN
    UPDATE public.agent_runs SET
      step_count = step_count + total,
      open_steps = open_steps + opened,
      completed_steps = completed_steps + completed,
      failed_steps = failed_steps + failed,
      required_failed_steps = required_failed_steps + required_failed,
      billable_steps = billable_steps + billed,
      consumed_micro = consumed_micro + cost,
      updated_at = now()
    WHERE id = OLD.run_id;
  END IF;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION public.update_run_statistics() IS
  'Adds the difference that one step makes to the counters of its run; no difference, no UPDATE';

CREATE TRIGGER trigger_update_run_statistics
  AFTER UPDATE OR DELETE ON public.agent_steps
  FOR EACH ROW EXECUTE FUNCTION public.update_run_statistics();

-- The steps of a playbook come in one statement, and one by one their run would be rewritten with each of them. So new
-- steps are counted together, by a trigger of their own: one that sees all rows of a statement is for one event only.
CREATE FUNCTION public.count_new_steps() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  added record;
BEGIN
  FOR added IN
    SELECT run_id,
      count(*) AS total,
      count(*) FILTER (WHERE status IN ('pending', 'running')) AS opened,
      count(*) FILTER (WHERE status = 'completed') AS completed,
      count(*) FILTER (WHERE status = 'failed') AS failed,
      count(*) FILTER (WHERE status = 'failed' AND required) AS required_failed,
      count(*) FILTER (WHERE billable) AS billed,
      coalesce(sum(cost_micro) FILTER (WHERE status NOT IN ('pending', 'running')), 0) AS cost
    FROM new_steps
    GROUP BY run_id
    ORDER BY run_id
  LOOP
    UPDATE public.agent_runs SET
      step_count = step_count + added.total,
      open_steps = open_steps + added.opened,
      completed_steps = completed_steps + added.completed,
      failed_steps = failed_steps + added.failed,
      required_failed_steps = required_failed_steps + added.required_failed,
      billable_steps = billable_steps + added.billed,
      consumed_micro = consumed_micro + added.cost,
      updated_at = now()
    WHERE id = added.run_id;
  END LOOP;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION public.count_new_steps() IS
  'Adds the steps that one statement has inserted to the counters of their runs, each run in one UPDATE';

CREATE TRIGGER agent_steps_count_new
  AFTER INSERT ON public.agent_steps
  REFERENCING NEW TABLE AS new_steps
  FOR EACH STATEMENT EXECUTE FUNCTION public.count_new_steps();

CREATE FUNCTION public.check_run_completion() RETURNS trigger
LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
  billable_ids jsonb;
BEGIN
  IF OLD.finished_at IS NOT NULL THEN
    IF NEW.status <> OLD.status THEN
      RAISE EXCEPTION 'run % is %, which is final', OLD.id, OLD.status USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
  END IF;
  IF NEW.status NOT IN ('planning', 'running') OR NEW.cancel_requested_at IS NOT NULL OR NEW.attempt <> OLD.attempt THEN
    RETURN NEW;
  END IF;

  NEW.status := 'completed';
  IF NEW.required_failed_steps > 0 THEN
    NEW.status := 'failed';
    SELECT coalesce(error_code, 'step_failed'), coalesce(error_message, format('step %s failed', step_key))
    INTO NEW.error_code, NEW.error_message
    FROM public.agent_steps
    WHERE run_id = NEW.id AND status = 'failed' AND required
    ORDER BY step_index LIMIT 1;
  END IF;
  IF NEW.billable_steps <= 1000 THEN
    SELECT coalesce(jsonb_agg(id ORDER BY step_index), '[]') INTO billable_ids
    FROM public.agent_steps
    WHERE run_id = NEW.id AND billable;
  END IF;
  NEW.finished_at := now();
  NEW.updated_at := now();
  NEW.lease_owner := NULL;
  NEW.lease_until := NULL;
  NEW.run_seq := NEW.run_seq + 1;

  INSERT INTO public.event_outbox
    (source, aggregate_type, aggregate_id, aggregate_seq, type, user_id, root_id, run_id, run_seq, traceparent, data)
  VALUES
    ('agent-runner', 'run', NEW.id, NEW.run_seq, 'run.' || NEW.status, NEW.user_id, NEW.root_run_id, NEW.id, NEW.run_seq,
     -- The trace of the event that led here: mostly the end of the last step, written by this very statement.
     coalesce(nullif(current_setting('sb.traceparent', true), ''),
              (SELECT traceparent FROM public.event_outbox WHERE run_id = NEW.id ORDER BY run_seq DESC LIMIT 1)),
     jsonb_build_object(
       'run_id', NEW.id,
       'root_run_id', NEW.root_run_id,
       'attempt', NEW.attempt,
       'billable_steps', NEW.billable_steps,
       'billable_step_ids', billable_ids,
       'steps', NEW.step_count,
       'error', CASE WHEN NEW.status = 'failed'
                     THEN jsonb_build_object('code', NEW.error_code, 'message', NEW.error_message) END));
  RETURN NEW;
END
$$;
COMMENT ON FUNCTION public.check_run_completion() IS
  'Ends a run whose last step is done and appends run.completed or run.failed: the only writer of that transition. '
  'Not while a cancel is on its way, nor in the statement of a claim (another attempt). Refuses to leave a terminal '
  'state (23001)';

-- The condition is short because it is parsed anew for each statement; the function looks closer.
CREATE TRIGGER trigger_check_run_completion
  BEFORE UPDATE ON public.agent_runs
  FOR EACH ROW
  WHEN (NEW.open_steps = 0 AND NEW.planning_done OR OLD.finished_at IS NOT NULL)
  EXECUTE FUNCTION public.check_run_completion();

-- ---------------------------------------------------------------------------------------------------------------
-- Users who leave.

CREATE TABLE public.agent_user_deletions (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id uuid NOT NULL,
  requested_by text NOT NULL DEFAULT 'user' CHECK (requested_by IN ('user', 'system')),
  stage text NOT NULL DEFAULT 'runs' CHECK (stage IN ('runs', 'files', 'rows', 'rest', 'done')),
  runs_cancelled int NOT NULL DEFAULT 0 CHECK (runs_cancelled >= 0),
  runs_deleted int NOT NULL DEFAULT 0 CHECK (runs_deleted >= 0),
  files_deleted int NOT NULL DEFAULT 0 CHECK (files_deleted >= 0),
  requested_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz,
  CONSTRAINT agent_user_deletions_finished_check CHECK ((stage = 'done') = (finished_at IS NOT NULL))
);
COMMENT ON TABLE public.agent_user_deletions IS
  'The job that removes a user, and afterwards the proof that it was done: the pseudonymous id, times and counts';
COMMENT ON COLUMN public.agent_user_deletions.requested_by IS
  'user: by the API. system: the row of auth.users was deleted elsewhere';
COMMENT ON COLUMN public.agent_user_deletions.stage IS
  'What is being done: cancel the runs, delete the files, delete the rows, look once more for late files; done';
COMMENT ON COLUMN public.agent_user_deletions.requested_at IS 'From here on nothing is made for the user';
COMMENT ON COLUMN public.agent_user_deletions.runs_cancelled IS 'Runs that had not ended';
COMMENT ON COLUMN public.agent_user_deletions.runs_deleted IS 'Runs with everything of theirs';
COMMENT ON COLUMN public.agent_user_deletions.files_deleted IS 'Objects of the storage';
-- Does this user leave?
CREATE INDEX agent_user_deletions_user_idx ON public.agent_user_deletions (user_id, requested_at DESC);
-- What is under way.
CREATE INDEX agent_user_deletions_work_idx ON public.agent_user_deletions (requested_at) WHERE finished_at IS NULL;

CREATE FUNCTION sb.delete_user(p_user_id uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM public.agent_user_deletions
                 WHERE user_id = p_user_id AND finished_at IS NULL AND stage = 'rows') THEN
    RAISE EXCEPTION 'nobody has asked for the deletion of user %', p_user_id USING ERRCODE = 'restrict_violation';
  END IF;
  DELETE FROM auth.users WHERE id = p_user_id;
  RETURN FOUND;
END
$$;
COMMENT ON FUNCTION sb.delete_user(uuid) IS
  'Deletes a user whose deletion has come that far, in all slices; true when there was one. Rights of the owner: '
  'auth.users belongs to nobody here';

-- A trigger, not a foreign key: that would lock the user's row with every run that is made.
CREATE FUNCTION sb.delete_agent_data() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
  DELETE FROM public.agent_memory WHERE user_id = OLD.id;
  DELETE FROM public.event_outbox
  WHERE published_at IS NOT NULL AND source = 'agent-runner'
    AND run_id IN (SELECT id FROM public.agent_runs WHERE user_id = OLD.id);
  DELETE FROM public.agent_runs WHERE user_id = OLD.id;
  DELETE FROM public.agent_artifacts WHERE user_id = OLD.id AND run_id IS NULL;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION sb.delete_agent_data() IS
  'Runs, with everything of theirs, memories and uploads go with their user. Rights of the owner: whoever deletes the user has none here';

CREATE TRIGGER swissbrain_delete_agent_data AFTER DELETE ON auth.users
  FOR EACH ROW EXECUTE FUNCTION sb.delete_agent_data();

-- ---------------------------------------------------------------------------------------------------------------
-- Policies: per table the service, what a person may read, and what a transaction of that person may do.

ALTER TABLE public.agent_runs ENABLE ROW LEVEL SECURITY;
CREATE POLICY agent_runs_service ON public.agent_runs FOR ALL TO sb_agent_runner USING (true) WITH CHECK (true);
CREATE POLICY agent_runs_read ON public.agent_runs FOR SELECT TO authenticated
  USING (user_id = (SELECT sb.current_user_id()) AND user_id = (SELECT sb.current_user_id()));
CREATE POLICY agent_runs_own ON public.agent_runs FOR ALL TO sb_agent_runner_user
  USING (user_id = (SELECT sb.current_user_id()) AND user_id = (SELECT sb.current_user_id()))
  WITH CHECK (user_id = (SELECT sb.current_user_id()));

ALTER TABLE public.agent_steps ENABLE ROW LEVEL SECURITY;
CREATE POLICY agent_steps_service ON public.agent_steps FOR ALL TO sb_agent_runner USING (true) WITH CHECK (true);
CREATE POLICY agent_steps_read ON public.agent_steps FOR SELECT TO authenticated
  USING (user_id = (SELECT sb.current_user_id()) AND user_id = (SELECT sb.current_user_id()));
CREATE POLICY agent_steps_own ON public.agent_steps FOR ALL TO sb_agent_runner_user
  USING (user_id = (SELECT sb.current_user_id()) AND user_id = (SELECT sb.current_user_id()))
  WITH CHECK (user_id = (SELECT sb.current_user_id()));

ALTER TABLE public.agent_artifacts ENABLE ROW LEVEL SECURITY;
CREATE POLICY agent_artifacts_service ON public.agent_artifacts FOR ALL TO sb_agent_runner USING (true) WITH CHECK (true);
CREATE POLICY agent_artifacts_read ON public.agent_artifacts FOR SELECT TO authenticated
  USING (user_id = (SELECT sb.current_user_id()) AND user_id = (SELECT sb.current_user_id()));
CREATE POLICY agent_artifacts_own ON public.agent_artifacts FOR ALL TO sb_agent_runner_user
  USING (user_id = (SELECT sb.current_user_id()) AND user_id = (SELECT sb.current_user_id()))
  WITH CHECK (user_id = (SELECT sb.current_user_id()));

ALTER TABLE public.agent_messages ENABLE ROW LEVEL SECURITY;
CREATE POLICY agent_messages_service ON public.agent_messages FOR ALL TO sb_agent_runner USING (true) WITH CHECK (true);
CREATE POLICY agent_messages_read ON public.agent_messages FOR SELECT TO authenticated
  USING (user_id = (SELECT sb.current_user_id()) AND user_id = (SELECT sb.current_user_id()));
CREATE POLICY agent_messages_own ON public.agent_messages FOR ALL TO sb_agent_runner_user
  USING (user_id = (SELECT sb.current_user_id()) AND user_id = (SELECT sb.current_user_id()))
  WITH CHECK (user_id = (SELECT sb.current_user_id()));

ALTER TABLE public.agent_questions ENABLE ROW LEVEL SECURITY;
CREATE POLICY agent_questions_service ON public.agent_questions FOR ALL TO sb_agent_runner USING (true) WITH CHECK (true);
CREATE POLICY agent_questions_read ON public.agent_questions FOR SELECT TO authenticated
  USING (user_id = (SELECT sb.current_user_id()) AND user_id = (SELECT sb.current_user_id()));
CREATE POLICY agent_questions_own ON public.agent_questions FOR ALL TO sb_agent_runner_user
  USING (user_id = (SELECT sb.current_user_id()) AND user_id = (SELECT sb.current_user_id()))
  WITH CHECK (user_id = (SELECT sb.current_user_id()));

ALTER TABLE public.agent_memory ENABLE ROW LEVEL SECURITY;
CREATE POLICY agent_memory_service ON public.agent_memory FOR ALL TO sb_agent_runner USING (true) WITH CHECK (true);
CREATE POLICY agent_memory_read ON public.agent_memory FOR SELECT TO authenticated
  USING (user_id = (SELECT sb.current_user_id()) AND user_id = (SELECT sb.current_user_id()));
CREATE POLICY agent_memory_own ON public.agent_memory FOR ALL TO sb_agent_runner_user
  USING (user_id = (SELECT sb.current_user_id()) AND user_id = (SELECT sb.current_user_id()))
  WITH CHECK (user_id = (SELECT sb.current_user_id()));

ALTER TABLE public.agent_user_deletions ENABLE ROW LEVEL SECURITY;
CREATE POLICY agent_user_deletions_service ON public.agent_user_deletions FOR ALL TO sb_agent_runner
  USING (true) WITH CHECK (true);
CREATE POLICY agent_user_deletions_own ON public.agent_user_deletions FOR ALL TO sb_agent_runner_user
  USING (user_id = (SELECT sb.current_user_id()) AND user_id = (SELECT sb.current_user_id()))
  WITH CHECK (user_id = (SELECT sb.current_user_id()));

REVOKE ALL ON TABLE public.agent_user_deletions FROM PUBLIC, anon, authenticated, service_role;
REVOKE ALL ON FUNCTION sb.delete_user(uuid) FROM PUBLIC, anon, authenticated, service_role;
GRANT SELECT, INSERT, UPDATE ON public.agent_user_deletions TO sb_agent_runner;
GRANT SELECT ON public.agent_user_deletions TO sb_agent_runner_user;
GRANT INSERT (user_id) ON public.agent_user_deletions TO sb_agent_runner_user;
GRANT EXECUTE ON FUNCTION sb.delete_user(uuid) TO sb_agent_runner;

REVOKE ALL ON TABLE
  public.agent_runs, public.agent_steps, public.agent_artifacts, public.agent_messages, public.agent_memory,
  public.agent_questions
  FROM PUBLIC, anon, authenticated, service_role;
REVOKE ALL ON FUNCTION public.update_run_statistics(), public.count_new_steps(), public.check_run_completion(), sb.delete_agent_data()
  FROM PUBLIC, anon, authenticated, service_role;

GRANT SELECT ON
  public.agent_runs, public.agent_steps, public.agent_artifacts, public.agent_messages, public.agent_memory,
  public.agent_questions
  TO authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON
  public.agent_runs, public.agent_steps, public.agent_artifacts, public.agent_messages, public.agent_memory,
  public.agent_questions
  TO sb_agent_runner;
GRANT SELECT, INSERT ON
  public.agent_runs, public.agent_steps, public.agent_artifacts, public.agent_messages, public.agent_memory
  TO sb_agent_runner_user;
-- An answer. Only the service asks.
GRANT SELECT, UPDATE (status, answer, answered_at) ON public.agent_questions TO sb_agent_runner_user;
-- What a cancel, a pause and an answer change, and the counters that follow from it. Whose a run is and what it belongs to never changes.
GRANT UPDATE (
  status, cancel_requested_at, pause_requested_at, pause_reason, idle_since, idle_ms, finished_at, updated_at, lease_owner, lease_until, run_seq, error_code, error_message,
  step_count, open_steps, completed_steps, failed_steps, required_failed_steps, billable_steps, consumed_micro
) ON public.agent_runs TO sb_agent_runner_user;
GRANT UPDATE (status, finished_at) ON public.agent_steps TO sb_agent_runner_user;
GRANT UPDATE (content, metadata, embedding, embedding_model, updated_at) ON public.agent_memory TO sb_agent_runner_user;
GRANT DELETE ON public.agent_runs, public.agent_memory TO sb_agent_runner_user;

-- migrate:down

DROP TRIGGER swissbrain_delete_agent_data ON auth.users;
DROP FUNCTION sb.delete_agent_data();
DROP FUNCTION sb.delete_user(uuid);
DROP TABLE public.agent_user_deletions;
DROP TABLE public.agent_questions, public.agent_memory, public.agent_messages, public.agent_artifacts, public.agent_steps, public.agent_runs;
DROP FUNCTION public.update_run_statistics(), public.count_new_steps(), public.check_run_completion();
DROP TYPE public.agent_mode, public.tool_type, public.agent_step_status, public.agent_run_status;
