import { currentTraceparent } from '@swissbrain/service-kit/trace-context';
import { type RawBuilder, sql } from 'kysely';
import type { RunRow } from './runs.ts';
import { interval, json, liveStates } from './statements.ts';

/**
 * A worker takes a run over: raises the attempt, which from now on fences out whoever had it, and appends
 * run.started. Claims the attempt it was told of, and only when nobody holds a live lease. `remaining_ms` is what
 * is left of the run's wall clock.
 */
export function claimStatement(claim: {
  readonly runId: string;
  readonly attempt: number;
  readonly owner: string;
  readonly leaseMs: number;
  readonly wallMs: number;
}): RawBuilder<RunRow & { remaining_ms: number }> {
  return sql`with claimed as (
      update public.agent_runs set attempt = attempt + 1, lease_owner = ${claim.owner},
        lease_until = clock_timestamp() + ${interval(claim.leaseMs)},
        status = case when status = 'queued' then 'running' else status end,
        started_at = coalesce(started_at, clock_timestamp()), run_seq = run_seq + 1, updated_at = clock_timestamp()
      where id = ${claim.runId} and attempt = ${claim.attempt} and status in ('queued', 'planning', 'running')
        and (lease_owner is null or lease_owner like 'dispatch/%' or lease_until < clock_timestamp())
      returning *
    ), event as (
      insert into public.event_outbox (source, aggregate_type, aggregate_id, aggregate_seq, type, user_id, root_id, run_id, run_seq, data, traceparent)
      select 'agent-runner', 'run', id, run_seq, 'run.started', user_id, root_run_id, id, run_seq,
        jsonb_build_object('run_id', id, 'root_run_id', root_run_id, 'attempt', attempt), ${currentTraceparent()}
      from claimed)
    select *, (extract(epoch from started_at + ${interval(claim.wallMs)} - clock_timestamp()) * 1000)::float8 as remaining_ms
    from claimed`;
}

/**
 * Renews the leases of one worker's runs; returns those that it still has. Locks them in order of their ids, as
 * groups of advancing runs do.
 */
export function renewStatement(
  owner: string,
  leaseMs: number,
  claims: readonly { readonly runId: string; readonly attempt: number }[],
): RawBuilder<{ id: string; cancel_requested: boolean }> {
  return sql`with locked as (
      select id from public.agent_runs where id = any(${claims.map((claim) => claim.runId)}::uuid[])
      order by id for no key update)
    update public.agent_runs r set lease_until = clock_timestamp() + ${interval(leaseMs)}
    from locked join unnest(${claims.map((claim) => claim.runId)}::uuid[], ${claims.map((claim) => claim.attempt)}::int[]) as c(id, attempt) using (id)
    where r.id = c.id and r.attempt = c.attempt and r.lease_owner = ${owner} and r.status in ${liveStates}
    returning r.id, r.cancel_requested_at is not null as cancel_requested`;
}

/**
 * Marks the next runs for this dispatcher: first those whose worker fell silent, then the waiting line by rank
 * within each user, counting what the user has running. At most `slots` minus what it has handed out already.
 */
export function dispatchStatement(dispatch: {
  readonly ticket: string;
  readonly slots: number;
  readonly ticketMs: number;
}): RawBuilder<{ id: string; attempt: number }> {
  return sql`with running as (
      select user_id, count(*) as runs from public.agent_runs where status in ${liveStates} group by user_id
    ), line as (
      select id, 0 as rank, started_at as since from public.agent_runs
      where status in ${liveStates} and (lease_until is null or lease_until < clock_timestamp())
      union all
      select q.id, row_number() over (partition by q.user_id order by q.queued_at, q.id) + coalesce(running.runs, 0), q.queued_at
      from public.agent_runs q left join running using (user_id)
      where q.status = 'queued' and (q.lease_until is null or q.lease_until < clock_timestamp())
    ), out as (
      select count(*) as tickets from public.agent_runs
      where status in ('queued', 'planning', 'running') and lease_owner = ${dispatch.ticket} and lease_until > clock_timestamp()
    ), next as (
      select r.id from public.agent_runs r join line on line.id = r.id
      where r.status in ('queued', 'planning', 'running') and (r.lease_until is null or r.lease_until < clock_timestamp())
      order by line.rank, line.since, r.id
      limit (select greatest(${dispatch.slots}::bigint - tickets, 0) from out)
      for update of r skip locked)
    update public.agent_runs r set lease_owner = ${dispatch.ticket}, lease_until = clock_timestamp() + ${interval(dispatch.ticketMs)}
    from next where r.id = next.id
    returning r.id, r.attempt`;
}

/** Records a raised hold, under the claim. */
export function raiseHoldStatement(
  runId: string,
  attempt: number,
  heldMicro: bigint,
): RawBuilder<{ id: string }> {
  return sql`update public.agent_runs set held_micro = greatest(held_micro, ${heldMicro})
    where id = ${runId} and attempt = ${attempt} and status in ${liveStates} returning id`;
}

/** No more steps will come: with none open the trigger closes the run in this statement. */
export function finishPlanningStatement(
  runId: string,
  attempt: number,
  output: unknown,
): RawBuilder<{ status: string }> {
  return sql`update public.agent_runs set planning_done = true, output = ${json(output)}, updated_at = clock_timestamp()
    where id = ${runId} and attempt = ${attempt} and status in ${liveStates} and cancel_requested_at is null
    returning status::text`;
}

/** A session was lost: the next one has the next number. Only for the number that was lost. */
export function raiseSessionStatement(
  runId: string,
  attempt: number,
  lost: number,
): RawBuilder<{ session_no: number }> {
  return sql`update public.agent_runs set session_no = session_no + 1
    where id = ${runId} and attempt = ${attempt} and session_no = ${lost} and status in ${liveStates} returning session_no`;
}

/** Ends a worker's lease or a dispatcher's ticket before its time. */
export function handOverStatement(runId: string, attempt: number): RawBuilder<{ id: string }> {
  return sql`update public.agent_runs set lease_until = clock_timestamp()
    where id = ${runId} and attempt = ${attempt} and status in ('queued', 'planning', 'running') returning id`;
}

/** Runs that nobody works on and that are to end: a cancel was asked for, or their wall clock has run out. */
export function overdueStatement(wallMs: number, limit: number): RawBuilder<RunRow> {
  return sql`select * from public.agent_runs
    where status in ${liveStates} and (lease_until is null or lease_until < clock_timestamp())
      and (cancel_requested_at is not null or started_at < clock_timestamp() - ${interval(wallMs)})
    limit ${limit}`;
}
