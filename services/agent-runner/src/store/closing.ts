import type { Tx } from '@swissbrain/service-kit/database';
import { currentTraceparent } from '@swissbrain/service-kit/trace-context';
import { sql } from 'kysely';
import { finalStates } from './statements.ts';

/** How a run ends other than by its last step. */
export interface Closing {
  readonly runId: string;
  readonly status: 'failed' | 'cancelled' | 'timed_out';
  readonly error: { readonly code: string; readonly message: string } | null;
}

/**
 * Ends a run: open steps are cancelled (`running`) or skipped (`pending`), nothing of them is billed, and the closing
 * event is appended in the same statement. The caller holds the run's lock, so that the list of billable steps
 * is complete. False when the run has ended already.
 */
export async function closeRunRow(tx: Tx, closing: Closing): Promise<boolean> {
  const { runId, status, error } = closing;
  const { rows } = await sql<{ id: string }>`with closed as (
      update public.agent_runs set status = ${status}::public.agent_run_status, finished_at = clock_timestamp(),
        updated_at = clock_timestamp(), lease_owner = null, lease_until = null, run_seq = run_seq + 1,
        error_code = ${error?.code ?? null}, error_message = ${error?.message ?? null}
      where id = ${runId} and status not in ${finalStates}
      returning *
    ), steps as (
      update public.agent_steps s set finished_at = clock_timestamp(),
        status = case when s.status = 'running' then 'cancelled' else 'skipped' end::public.agent_step_status
      from closed where s.run_id = closed.id and s.status in ('pending', 'running')
    ), event as (
      insert into public.event_outbox (source, aggregate_type, aggregate_id, aggregate_seq, type, user_id, root_id, run_id, run_seq, data, traceparent)
      select 'agent-runner', 'run', c.id, c.run_seq, 'run.' || c.status, c.user_id, c.root_run_id, c.id, c.run_seq,
        jsonb_build_object('run_id', c.id, 'root_run_id', c.root_run_id, 'attempt', c.attempt, 'billable_steps', c.billable_steps,
          'billable_step_ids', case when c.billable_steps <= 1000 then (
            select coalesce(jsonb_agg(s.id order by s.step_index), '[]') from public.agent_steps s
            where s.run_id = c.id and s.billable) end,
          'steps', c.step_count,
          'error', case when c.error_code is not null
            then jsonb_build_object('code', c.error_code, 'message', c.error_message) end), ${currentTraceparent()}
      from closed c)
    select id from closed`.execute(tx);
  return rows.length > 0;
}
