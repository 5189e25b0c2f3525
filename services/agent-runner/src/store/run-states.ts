import type { Tx } from '@swissbrain/service-kit/database';
import { sql } from 'kysely';

export interface RunState {
  readonly run_id: string;
  readonly status: string;
  readonly billable_steps: number;
  /** Null while the run lives. */
  readonly ended_seconds_ago: number | null;
}

/** The states of runs by id, in no order. */
export async function selectRunStates(tx: Tx, ids: readonly string[]): Promise<RunState[]> {
  const { rows } = await sql<RunState>`
    select id as run_id, status::text as status, billable_steps,
      case when finished_at is not null
        then greatest(0, extract(epoch from clock_timestamp() - finished_at))::float8 end as ended_seconds_ago
    from public.agent_runs where id = any (${ids}::uuid[])`.execute(tx);
  return rows;
}
