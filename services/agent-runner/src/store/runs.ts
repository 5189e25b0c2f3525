import type { Tx } from '@swissbrain/service-kit/database';
import { currentTraceparent } from '@swissbrain/service-kit/trace-context';
import { type RawBuilder, sql } from 'kysely';
import { finalStates, json } from './statements.ts';

/** A run without what may be large, as most readers need it; amounts are micro-credits. */
export interface RunSummary {
  readonly id: string;
  readonly user_id: string;
  readonly tenant_id: string | null;
  readonly parent_run_id: string | null;
  readonly root_run_id: string;
  readonly mode: string;
  readonly kind: 'playbook' | 'goal';
  readonly title: string;
  readonly goal: string | null;
  readonly status: string;
  readonly attempt: number;
  readonly run_seq: bigint;
  readonly cancel_requested_at: Date | null;
  readonly step_count: number;
  readonly open_steps: number;
  readonly completed_steps: number;
  readonly failed_steps: number;
  readonly consumed_micro: bigint;
  readonly held_micro: bigint;
  readonly budget_micro: bigint | null;
  readonly reservation_id: string | null;
  readonly output: unknown;
  readonly error_code: string | null;
  readonly error_message: string | null;
  readonly created_at: Date;
  readonly queued_at: Date | null;
  readonly started_at: Date | null;
  readonly finished_at: Date | null;
}

/** The whole row, as a worker needs it. */
export interface RunRow extends RunSummary {
  readonly playbook: unknown;
  readonly inputs: unknown;
  readonly reservation: unknown;
  readonly session_no: number;
}

const summary = sql`id, user_id, tenant_id, parent_run_id, root_run_id, mode, kind, title, goal, status, attempt, run_seq,
  cancel_requested_at, step_count, open_steps, completed_steps, failed_steps, consumed_micro, held_micro, budget_micro,
  reservation_id, output, error_code, error_message, created_at, queued_at, started_at, finished_at`;

/** What is known of a run when it is created. */
export interface NewRun {
  readonly id: string;
  readonly userId: string;
  readonly tenantId: string | null;
  readonly kind: 'playbook' | 'goal';
  readonly mode: string;
  readonly title: string;
  readonly goal: string | null;
  readonly playbook: unknown;
  readonly inputs: unknown;
  readonly budgetMicro: bigint | null;
  /** True when all steps are inserted with the run. */
  readonly planningDone: boolean;
}

/** Inserts a run of its own root, with its first event's number taken. */
export async function insertRun(tx: Tx, run: NewRun): Promise<void> {
  await sql`insert into public.agent_runs (id, user_id, tenant_id, root_run_id, kind, mode, title, goal, playbook, inputs,
      budget_micro, planning_done, run_seq)
    values (${run.id}, ${run.userId}, ${run.tenantId}, ${run.id}, ${run.kind}, ${run.mode}::public.agent_mode, ${run.title},
      ${run.goal}, ${run.playbook === null ? null : json(run.playbook)}, ${json(run.inputs)}, ${run.budgetMicro},
      ${run.planningDone}, 1)`.execute(tx);
}

/** The run, or undefined when there is none that this transaction may see. */
export async function findRun(tx: Tx, id: string): Promise<RunSummary | undefined> {
  const { rows } = await sql<RunSummary>`select ${summary} from public.agent_runs where id = ${id}`.execute(
    tx,
  );
  return rows[0];
}

/** Takes the run's lock, under which its events get their numbers. */
export async function lockRun(tx: Tx, id: string): Promise<RunSummary | undefined> {
  const { rows } =
    await sql<RunSummary>`select ${summary} from public.agent_runs where id = ${id} for update`.execute(tx);
  return rows[0];
}

export interface RunListing {
  readonly limit: number;
  readonly status: string | undefined;
  readonly before: { readonly createdAt: string; readonly id: string } | undefined;
}

/**
 * Runs of the transaction's user, newest first; `created_at_text` keeps the microseconds for a cursor. Names the user
 * beside the policy, of which Postgres does not know when it plans whether it means few rows or many, and writes the
 * status out, so that it finds the index with that condition.
 */
export async function listRuns(
  tx: Tx,
  userId: string,
  listing: RunListing,
): Promise<(RunSummary & { created_at_text: string })[]> {
  const status = listing.status
    ? sql`and status = ${sql.lit(listing.status)}::public.agent_run_status`
    : sql``;
  const before = listing.before
    ? sql`and (created_at, id) < (${listing.before.createdAt}::timestamptz, ${listing.before.id}::uuid)`
    : sql``;
  const { rows } = await sql<RunSummary & { created_at_text: string }>`
    select ${summary}, created_at::text as created_at_text from public.agent_runs
    where user_id = ${userId}::uuid ${status} ${before}
    order by created_at desc, id desc limit ${listing.limit}`.execute(tx);
  return rows;
}

/** One admitted run: what credits.reserved said of it. */
export interface Admission {
  readonly run_id: string;
  readonly user_id: string;
  readonly reservation_id: string;
  readonly held_micro: string;
  readonly reservation: unknown;
}

/** Puts pending runs into the waiting line, each with its run.queued. Runs that left `pending` stay as they are. */
export async function queueRuns(tx: Tx, admissions: readonly Admission[]): Promise<number> {
  const { rows } = await sql<{ id: string }>`with queued as (
      update public.agent_runs r set status = 'queued', queued_at = clock_timestamp(), reservation_id = a.reservation_id,
        reservation = a.reservation, held_micro = a.held_micro, run_seq = r.run_seq + 1, updated_at = clock_timestamp()
      from jsonb_to_recordset(${json(admissions)}) as a(run_id uuid, user_id uuid, reservation_id uuid, held_micro bigint,
        reservation jsonb)
      where r.id = a.run_id and r.user_id = a.user_id and r.status = 'pending'
      returning r.id, r.user_id, r.root_run_id, r.run_seq, r.reservation_id
    ), events as (
      insert into public.event_outbox (source, aggregate_type, aggregate_id, aggregate_seq, type, user_id, root_id, run_id, run_seq, data, traceparent)
      select 'agent-runner', 'run', id, run_seq, 'run.queued', user_id, root_run_id, id, run_seq,
        jsonb_build_object('run_id', id, 'root_run_id', root_run_id, 'reservation_id', reservation_id), ${currentTraceparent()}
      from queued)
    select id from queued`.execute(tx);
  return rows.length;
}

/** Marks that a run is to be cancelled; one that has ended stays as it is. */
export async function markCancelRequested(tx: Tx, id: string): Promise<void> {
  await sql`update public.agent_runs set cancel_requested_at = coalesce(cancel_requested_at, clock_timestamp()),
    updated_at = clock_timestamp() where id = ${id} and status not in ${finalStates}`.execute(tx);
}

/** Reservations of runs that have not ended, and the shortest time to live among them in seconds. */
export async function listHolds(
  tx: Tx,
  after: string,
  limit: number,
): Promise<{ id: string; reservation_id: string; ttl_seconds: number }[]> {
  const { rows } = await sql<{ id: string; reservation_id: string; ttl_seconds: number }>`
    select id, reservation_id, (reservation ->> 'ttl_seconds')::int as ttl_seconds from public.agent_runs
    where id > ${after}::uuid and status in ('queued', 'planning', 'running', 'waiting_input', 'paused')
      and reservation_id is not null and parent_run_id is null
    order by id limit ${limit}`.execute(tx);
  return rows;
}

/** True when the run exists and has not ended. */
export function isLiveStatement(runId: string): RawBuilder<{ live: boolean }> {
  return sql`select exists (select from public.agent_runs where id = ${runId} and status not in ${finalStates}) as live`;
}
