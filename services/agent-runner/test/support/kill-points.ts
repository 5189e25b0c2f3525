import type { TestDatabase } from '@swissbrain/testkit/database';
import { waitFor } from '@swissbrain/testkit/wait';

/**
 * Names every change of the rows of one user's runs, and holds a transaction up in its commit where its change is one
 * to be killed at. Let go after its worker was killed, it commits unheard. A name says what changed in which row, without
 * what differs from run to run: the first change of a transaction and the steps that it touches.
 */
export interface KillPoints {
  /** Names the changes of this user's runs, and stops where one fits that was not killed at before, by its `scenario`. */
  arm(userId: string, scenario: string, stopAt: RegExp | null): Promise<void>;
  /** Whether a transaction is held up. */
  isStopped(): Promise<boolean>;
  /** Lets it go, and all that come until `arm` is called again. */
  release(): Promise<void>;
  /** What runs of the scenario have gone through so far, and which of it was killed at. */
  changes(scenario: string): Promise<readonly { readonly change: string; readonly killed: boolean }[]>;
}

/** Renewed leases, times, and counters that only say how often. */
const unnamed = [
  ...[
    'lease_until',
    'updated_at',
    'run_seq',
    'started_at',
    'finished_at',
    'queued_at',
    'idle_since',
    'answered_at',
  ],
  ...['consumed_micro', 'duration_ms', 'idle_ms', 'usage', 'billable', 'cost_micro', 'completed_steps'],
  ...['billable_steps', 'step_count', 'open_steps', 'output', 'answer', 'attempt', 'lease_owner'],
];

const install = `
create schema sweep;
create table sweep.armed (user_id uuid primary key, scenario text not null, stop_at text);
create table sweep.changes (scenario text, change text, killed boolean not null default false, primary key (scenario, change));
create function sweep.name_of(place text, old jsonb, new jsonb) returns text language sql as $$
  select concat_ws(' ', substr(place, 7),
    case when new->>'parent_run_id' is not null then 'child' when new->>'forked_from' is not null then 'fork' end,
    coalesce(new->>'step_key', new->>'kind'), new->>'message_index', new->>'role', new->>'status',
    case when new->>'lease_owner' like 'dispatch/%' then 'offered' when new->>'lease_owner' is not null then 'leased' end,
    case when old is null then 'new' else (select string_agg(n.key, ',' order by n.key) from jsonb_each(new) n
      where n.value is distinct from old->n.key and n.key <> all('{${unnamed.join(',')}}'::text[])) end)
$$;
create function sweep.look() returns trigger language plpgsql security definer set search_path = sweep, public as $$
declare
  arm sweep.armed;
  name text;
begin
  select * into arm from sweep.armed where user_id = new.user_id;
  if not found or coalesce(current_setting('sweep.named', true), '') = pg_current_xact_id()::text then return null; end if;
  perform set_config('sweep.named', pg_current_xact_id()::text, true);
  name := concat_ws(' + ', sweep.name_of(tg_table_name, case when tg_op = 'UPDATE' then to_jsonb(old) end, to_jsonb(new)),
    (select string_agg(concat_ws(' ', s.step_key, s.status), ' + ' order by s.step_index) from public.agent_steps s
     where s.user_id = new.user_id and s.xmin = pg_current_xact_id()::xid));
  insert into sweep.changes values (arm.scenario, name) on conflict do nothing;
  if arm.stop_at is null or name !~ arm.stop_at then return null; end if;
  update sweep.changes c set killed = true where c.scenario = arm.scenario and change = name and not killed;
  if not found then return null; end if;
  perform set_config('application_name', 'stopped', false);
  while exists (select from sweep.armed where user_id = new.user_id) loop perform pg_sleep(0.002); end loop;
  return null;
end $$;
${['runs', 'steps', 'questions', 'messages']
  .map(
    (noun) => `
create constraint trigger sweep_insert after insert on public.agent_${noun} deferrable initially deferred for each row execute function sweep.look();
create constraint trigger sweep_update after update on public.agent_${noun} deferrable initially deferred for each row
  when (to_jsonb(old) - 'lease_until' - 'updated_at' is distinct from to_jsonb(new) - 'lease_until' - 'updated_at') execute function sweep.look();`,
  )
  .join('')}
grant usage on schema sweep to public;
`;

/** Puts the triggers into a database of a test. */
export async function watchChanges(database: TestDatabase): Promise<KillPoints> {
  await database.query(install);
  const isStopped = async () => {
    const rows = await database.query(
      "select from pg_stat_activity where application_name = 'stopped' and datname = current_database()",
    );
    return rows.length > 0;
  };
  return {
    isStopped,
    async arm(userId, scenario, stopAt) {
      await database.query('insert into sweep.armed values ($1, $2, $3)', [
        userId,
        scenario,
        stopAt?.source ?? null,
      ]);
    },
    async release() {
      await database.query('delete from sweep.armed');
      await waitFor(async () => !(await isStopped()), { describe: 'what was stopped to end' });
    },
    changes: (scenario) =>
      database.query<{ change: string; killed: boolean }>(
        'select change, killed from sweep.changes where scenario = $1',
        [scenario],
      ),
  };
}
