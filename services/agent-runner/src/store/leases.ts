import { currentTraceparent } from '@swissbrain/service-kit/trace-context';
import { type RawBuilder, sql } from 'kysely';
import type { StoredPayload } from '../domain/payload.ts';
import type { RunRow } from './runs.ts';
import { finalStates, idleStates, interval, json, kept, liveStates } from './statements.ts';

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
    select *, (extract(epoch from started_at + ${interval(claim.wallMs)} - clock_timestamp()) * 1000 + idle_ms)::float8 as remaining_ms
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
): RawBuilder<{ id: string; cancel_requested: boolean; pause_requested: boolean }> {
  return sql`with locked as (
      select id from public.agent_runs where id = any(${claims.map((claim) => claim.runId)}::uuid[])
      order by id for no key update)
    update public.agent_runs r set lease_until = clock_timestamp() + ${interval(leaseMs)}
    from locked join unnest(${claims.map((claim) => claim.runId)}::uuid[], ${claims.map((claim) => claim.attempt)}::int[]) as c(id, attempt) using (id)
    where r.id = c.id and r.attempt = c.attempt and r.lease_owner = ${owner} and r.status in ${liveStates}
    returning r.id, r.cancel_requested_at is not null as cancel_requested,
      r.pause_requested_at is not null as pause_requested`;
}

/**
 * Marks the next runs for this dispatcher: first those whose worker fell silent, then the waiting line by rank
 * within each user, counting what the user has running or offered by whichever dispatcher, divided by the weight of the
 * user's tier: who has nothing under way comes before all who have, however light the tier. Of the runs below one root no more start than its tier allows beside each other. At most `slots` minus what
 * it has handed out already.
 */
export function dispatchStatement(dispatch: {
  readonly ticket: string;
  readonly slots: number;
  readonly ticketMs: number;
}): RawBuilder<{ id: string; attempt: number }> {
  return sql`with busy as materialized (
      select user_id, root_run_id, parent_run_id from public.agent_runs where status in ${liveStates}
      union all
      select user_id, root_run_id, parent_run_id from public.agent_runs
      where status = 'queued' and lease_until > clock_timestamp()
    ), running as (
      select user_id, count(*) as runs from busy group by user_id
    ), children as (
      select root_run_id, count(*) as runs from busy where parent_run_id is not null group by root_run_id
    ), line as (
      select id, -1 as rank, started_at as since, true as may_start from public.agent_runs
      where status in ${liveStates} and (lease_until is null or lease_until < clock_timestamp())
      union all
      select q.id, (row_number() over (partition by q.user_id order by q.queued_at, q.id) - 1 + coalesce(running.runs, 0))::float8 / q.weight,
        q.queued_at, q.parent_run_id is null or q.max_parallel is null or q.max_parallel > coalesce(children.runs, 0)
          + row_number() over (partition by q.root_run_id, q.parent_run_id is null order by q.queued_at, q.id) - 1
      from public.agent_runs q left join running using (user_id) left join children on children.root_run_id = q.root_run_id
      where q.status = 'queued' and (q.lease_until is null or q.lease_until < clock_timestamp())
    ), out as (
      select count(*) as tickets from public.agent_runs
      where status in ('queued', 'planning', 'running') and lease_owner = ${dispatch.ticket} and lease_until > clock_timestamp()
    ), next as (
      select r.id from public.agent_runs r join line on line.id = r.id
      where line.may_start and r.status in ('queued', 'planning', 'running') and (r.lease_until is null or r.lease_until < clock_timestamp())
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

/**
 * No more steps will come: with none open the trigger closes the run in this statement. `stored` is where the output is
 * when it is too large for the row.
 */
export function finishPlanningStatement(
  claim: { readonly runId: string; readonly attempt: number },
  output: unknown,
  stored: StoredPayload | null,
): RawBuilder<{ status: string }> {
  return sql`with done as (
      update public.agent_runs set planning_done = true, output = ${json(kept(output, stored))},
        output_ref = ${json(stored ?? undefined)}, updated_at = clock_timestamp()
      where id = ${claim.runId} and attempt = ${claim.attempt} and status in ${liveStates} and cancel_requested_at is null
      returning id, user_id, status::text
    ), payload as (
      insert into public.agent_artifacts (run_id, user_id, kind, name, media_type, size_bytes, sha256, storage_key)
      select done.id, done.user_id, 'payload', s.key, 'application/json', s.size_bytes, s.sha256, s.key
      from done, jsonb_to_record(${json(stored ?? undefined)}) as s(key text, size_bytes bigint, sha256 text)
      where s.key is not null
      on conflict (run_id, kind, name, sha256, user_id) do nothing)
    select status from done`;
}

/** Names the session of this number, for whoever has the claim. */
export function nameSessionStatement(
  runId: string,
  attempt: number,
  { sessionNo, name }: { readonly sessionNo: number; readonly name: string | null },
): RawBuilder<{ id: string }> {
  return sql`update public.agent_runs set session_name = ${name}
    where id = ${runId} and attempt = ${attempt} and session_no = ${sessionNo} and status in ${liveStates} returning id`;
}

/** A sandbox session that is gone. */
export interface LostSession {
  readonly sessionNo: number;
  readonly code: string;
  /** For the user. */
  readonly message: string;
}

/** A session was lost: the next one has the next number, with run.session_lost. Only for the number that was lost. */
export function raiseSessionStatement(
  runId: string,
  attempt: number,
  lost: LostSession,
): RawBuilder<{ session_no: number }> {
  const { sessionNo, code, message } = lost;
  return sql`with raised as (
      update public.agent_runs set session_no = session_no + 1, session_name = null, run_seq = run_seq + 1, updated_at = clock_timestamp()
      where id = ${runId} and attempt = ${attempt} and session_no = ${sessionNo} and status in ${liveStates}
      returning id, user_id, root_run_id, run_seq, session_no
    ), event as (
      insert into public.event_outbox (source, aggregate_type, aggregate_id, aggregate_seq, type, user_id, root_id, run_id, run_seq, data, traceparent)
      select 'agent-runner', 'run', id, run_seq, 'run.session_lost', user_id, root_run_id, id, run_seq,
        jsonb_build_object('run_id', id, 'root_run_id', root_run_id, 'session_no', ${sessionNo}::int, 'code', ${code}::text,
          'message', ${message}::text), ${currentTraceparent()}
      from raised)
    select session_no from raised`;
}

/** Ends a worker's lease or a dispatcher's ticket before its time. */
export function handOverStatement(runId: string, attempt: number): RawBuilder<{ id: string }> {
  return sql`update public.agent_runs set lease_until = clock_timestamp()
    where id = ${runId} and attempt = ${attempt} and status in ('queued', 'planning', 'running') returning id`;
}

/**
 * Runs that are to end and that no worker will end: nobody has them and a cancel was asked for or their wall clock has
 * run out, or they were left to wait or to pause for longer than `idleMs`. Waiting is not of the wall clock.
 */
export function overdueStatement(
  limits: { readonly wallMs: number; readonly idleMs: number },
  limit: number,
): RawBuilder<RunRow> {
  const { wallMs, idleMs } = limits;
  return sql`select * from public.agent_runs
    where status in ${liveStates} and (lease_until is null or lease_until < clock_timestamp())
      and (cancel_requested_at is not null
        or started_at < clock_timestamp() - ${interval(wallMs)} - idle_ms * interval '1 millisecond')
      or status in ${idleStates} and idle_since < clock_timestamp() - ${interval(idleMs)}
    limit ${limit}`;
}

/** Runs whose cancel was asked for so long ago that whoever has them, if anybody, is not waited for any more. */
export function unheededCancelsStatement(
  afterMs: number,
  limit: number,
): RawBuilder<{ id: string; session_no: number }> {
  return sql`select id, session_no from public.agent_runs
    where cancel_requested_at < clock_timestamp() - ${interval(afterMs)} and finished_at is null
    order by cancel_requested_at limit ${limit}`;
}

/** Open runs whose parent has ended: nobody waits for them, and their hold is gone. */
export function orphansStatement(limit: number): RawBuilder<{ id: string; user_id: string }> {
  return sql`select child.id, child.user_id from public.agent_runs child
    join public.agent_runs parent on parent.id = child.parent_run_id
    where child.parent_run_id is not null and child.status not in ${finalStates} and child.cancel_requested_at is null
      and parent.finished_at is not null
    limit ${limit}`;
}
