-- migrate:up
-- What an expanding migration does to a table in use: a lock for a moment, and a column that the release before has not.
SET LOCAL lock_timeout = '5s';
ALTER TABLE public.agent_runs ADD COLUMN next_release text;

-- migrate:down
ALTER TABLE public.agent_runs DROP COLUMN next_release;
