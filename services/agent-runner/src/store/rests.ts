import type { Tx } from '@swissbrain/service-kit/database';
import { currentTraceparent } from '@swissbrain/service-kit/trace-context';
import { type RawBuilder, sql } from 'kysely';
import { forgetWorkspacePart, type NewArtifact } from './advance.ts';
import { json, liveStates } from './statements.ts';

/** How a worker leaves a run that it has not ended. */
export interface Rest {
  readonly runId: string;
  readonly attempt: number;
  readonly status: 'waiting_input' | 'paused';
  /** True when the workspace was saved, so that the next worker begins with a session of its own. */
  readonly leavesSession: boolean;
  /** Of the event, beside the ids of the run. */
  readonly data: Readonly<Record<string, unknown>>;
}

const eventColumns = sql`(source, aggregate_type, aggregate_id, aggregate_seq, type, user_id, root_id, run_id, run_seq, data, traceparent)`;
const idleMilliseconds = sql`case when started_at is null then 0
  else (extract(epoch from clock_timestamp() - idle_since) * 1000)::bigint end`;

/** Leaves a run under the claim, with run.waiting or run.paused; false when the claim does not hold any more. */
export async function restRow(tx: Tx, rest: Rest): Promise<boolean> {
  const type = rest.status === 'paused' ? 'run.paused' : 'run.waiting';
  const { rows } = await sql`with rested as (
      update public.agent_runs set status = ${rest.status}::public.agent_run_status, idle_since = clock_timestamp(),
        lease_owner = null, lease_until = null, rests = rests + 1, session_no = session_no + ${rest.leavesSession ? 1 : 0},
        session_name = case when ${rest.leavesSession} then null else session_name end,
        run_seq = run_seq + 1, updated_at = clock_timestamp()
      where id = ${rest.runId} and attempt = ${rest.attempt} and status in ${liveStates} and cancel_requested_at is null
      returning id, user_id, root_run_id, run_seq
    ), event as (
      insert into public.event_outbox ${eventColumns}
      select 'agent-runner', 'run', id, run_seq, ${type}, user_id, root_run_id, id, run_seq,
        jsonb_build_object('run_id', id, 'root_run_id', root_run_id) || ${json(rest.data)}, ${currentTraceparent()}
      from rested)
    select id from rested`.execute(tx);
  return rows.length > 0;
}

/**
 * Marks that a run is to be paused; one that nobody works on is paused by it, with run.paused. The state it was in
 * follows from its rows when it goes on. A pause that was asked for before keeps its reason. With
 * `unlessGrantedSince` only where no credits came at that time or later.
 */
export async function pauseRow(
  tx: Tx,
  runId: string,
  reason: 'user' | 'credits',
  unlessGrantedSince?: string,
): Promise<void> {
  const inOrder = unlessGrantedSince
    ? sql`and (granted_at is null or granted_at < ${unlessGrantedSince}::timestamptz)`
    : sql``;
  await sql`update public.agent_runs set pause_requested_at = clock_timestamp(), pause_reason = ${reason},
      updated_at = clock_timestamp()
    where id = ${runId} and pause_requested_at is null and cancel_requested_at is null ${inOrder}
      and status in ('pending', 'queued', 'planning', 'running', 'waiting_input')`.execute(tx);
  await pauseQueuedRows(tx, [runId]);
}

/** Pauses those of these runs that are to be paused and that nobody works on, with run.paused. */
export async function pauseQueuedRows(tx: Tx, runIds: readonly string[]): Promise<void> {
  await sql`with paused as (
      update public.agent_runs set status = 'paused', idle_since = coalesce(idle_since, clock_timestamp()),
        lease_owner = null, lease_until = null, run_seq = run_seq + 1, updated_at = clock_timestamp()
      where id = any(${runIds}::uuid[]) and pause_requested_at is not null and status in ('queued', 'waiting_input')
      returning id, user_id, root_run_id, run_seq, pause_reason
    ), event as (
      insert into public.event_outbox ${eventColumns}
      select 'agent-runner', 'run', id, run_seq, 'run.paused', user_id, root_run_id, id, run_seq,
        jsonb_build_object('run_id', id, 'root_run_id', root_run_id, 'reason', pause_reason), ${currentTraceparent()}
      from paused)
    select id from paused`.execute(tx);
}

/**
 * Puts a run that is in this state back into the waiting line, with run.resumed; a pause that is on its way is
 * withdrawn with `paused`. False when the run is in another state.
 */
export async function resumeRow(
  tx: Tx,
  runId: string,
  after: 'waiting_input' | 'paused',
  reason?: 'credits',
): Promise<boolean> {
  const ofReason = reason ? sql`and pause_reason = ${reason}` : sql``;
  if (after === 'paused') {
    await sql`update public.agent_runs set pause_requested_at = null, pause_reason = null, updated_at = clock_timestamp()
      where id = ${runId} and pause_requested_at is not null and status in ('pending', 'planning', 'running') ${ofReason}`.execute(
      tx,
    );
  }
  const { rows } = await sql`with resumed as (
      update public.agent_runs set status = 'queued', idle_ms = idle_ms + ${idleMilliseconds}, idle_since = null,
        pause_requested_at = null, pause_reason = null, run_seq = run_seq + 1, updated_at = clock_timestamp()
      where id = ${runId} and status = ${after}::public.agent_run_status and cancel_requested_at is null ${ofReason}
      returning id, user_id, root_run_id, run_seq
    ), event as (
      insert into public.event_outbox ${eventColumns}
      select 'agent-runner', 'run', id, run_seq, 'run.resumed', user_id, root_run_id, id, run_seq,
        jsonb_build_object('run_id', id, 'root_run_id', root_run_id, 'after', ${after}::text), ${currentTraceparent()}
      from resumed)
    select id from resumed`.execute(tx);
  return rows.length > 0;
}

/** Keeps a snapshot of the workspace under the claim: what the next session begins with. */
export function keepWorkspaceStatement(
  claim: { readonly runId: string; readonly attempt: number },
  snapshot: NewArtifact,
): RawBuilder<{ id: string }> {
  return sql`with kept as (
      update public.agent_runs set workspace_key = ${snapshot.storageKey}
      where id = ${claim.runId} and attempt = ${claim.attempt} and status in ${liveStates} and cancel_requested_at is null
      returning id, user_id
    ), artifact as (
      insert into public.agent_artifacts (id, run_id, user_id, step_id, kind, name, media_type, size_bytes, sha256, storage_key)
      select ${snapshot.id}, id, user_id, null, 'workspace', ${snapshot.name}, ${snapshot.mediaType}, ${snapshot.sizeBytes},
        ${snapshot.sha256}, ${snapshot.storageKey} from kept
      on conflict (run_id, kind, name, sha256, user_id) do nothing)${forgetWorkspacePart(sql`kept`, snapshot.sha256)}
    select id from kept`;
}
