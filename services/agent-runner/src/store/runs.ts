import type { Tx } from '@swissbrain/service-kit/database';
import { currentTraceparent } from '@swissbrain/service-kit/trace-context';
import { type RawBuilder, sql } from 'kysely';
import type { StoredPayload } from '../domain/payload.ts';
import { finalStates, json, kept } from './statements.ts';

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
  readonly pause_requested_at: Date | null;
  readonly pause_reason: 'user' | 'credits' | null;
  readonly forked_from: string | null;
  readonly parent_step_id: string | null;
  readonly step_count: number;
  readonly open_steps: number;
  readonly completed_steps: number;
  readonly failed_steps: number;
  readonly consumed_micro: bigint;
  readonly held_micro: bigint;
  readonly budget_micro: bigint | null;
  readonly reservation_id: string | null;
  readonly output: unknown;
  /** Where the output is when it is too large for the row. */
  readonly output_ref: StoredPayload | null;
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
  readonly playbook_ref: StoredPayload | null;
  readonly inputs: unknown;
  readonly inputs_ref: StoredPayload | null;
  readonly reservation: unknown;
  readonly session_no: number;
  readonly session_name: string | null;
  readonly workspace_key: string | null;
  readonly options: unknown;
  readonly rests: number;
  readonly idle_since: Date | null;
}

const summary = sql`id, user_id, tenant_id, parent_run_id, root_run_id, mode, kind, title, goal, status, attempt, run_seq,
  cancel_requested_at, pause_requested_at, pause_reason, forked_from, parent_step_id, step_count, open_steps, completed_steps, failed_steps, consumed_micro, held_micro, budget_micro,
  reservation_id, output, output_ref, error_code, error_message, created_at, queued_at, started_at, finished_at`;

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
  readonly storedPlaybook?: StoredPayload | null;
  readonly inputs: unknown;
  readonly storedInputs?: StoredPayload | null;
  readonly options: unknown;
  readonly budgetMicro: bigint | null;
  readonly parent?: {
    readonly runId: string;
    readonly rootRunId: string;
    /** The step that waits for it. */
    readonly stepId: string | null;
  };
  readonly forkedFrom?: string;
  /** True when all steps are inserted with the run. */
  readonly planningDone: boolean;
}

/**
 * Inserts a run, with its first event's number taken: one of its own root, or one below `parent`, whose root it has.
 * False when there is a run of this id.
 */
export async function insertRun(tx: Tx, run: NewRun): Promise<boolean> {
  const { rows } =
    await sql`insert into public.agent_runs (id, user_id, tenant_id, root_run_id, parent_run_id, parent_step_id,
      forked_from, kind, mode, title, goal, playbook, playbook_ref, inputs, inputs_ref, options, budget_micro, planning_done, run_seq)
    values (${run.id}, ${run.userId}, ${run.tenantId}, ${run.parent?.rootRunId ?? run.id}, ${run.parent?.runId ?? null},
      ${run.parent?.stepId ?? null}, ${run.forkedFrom ?? null}, ${run.kind}, ${run.mode}::public.agent_mode, ${run.title},
      ${run.goal}, ${json(kept(run.playbook, run.storedPlaybook) ?? undefined)}, ${json(run.storedPlaybook ?? undefined)},
      ${json(kept(run.inputs, run.storedInputs))}, ${json(run.storedInputs ?? undefined)}, ${json(run.options)},
      ${run.budgetMicro}, ${run.planningDone}, 1)
    on conflict (id) do nothing returning id`.execute(tx);
  return rows.length > 0;
}

/**
 * Puts a run below a root into the waiting line on the hold of that root, with run.queued; false when the root has no
 * hold any more.
 */
export async function queueChildRow(tx: Tx, id: string): Promise<boolean> {
  const { rows } = await sql`with queued as (
      update public.agent_runs r set status = 'queued', queued_at = clock_timestamp(), reservation_id = root.reservation_id,
        reservation = root.reservation, weight = root.weight, max_parallel = root.max_parallel, run_seq = r.run_seq + 1,
        updated_at = clock_timestamp()
      from public.agent_runs root
      where r.id = ${id} and root.id = r.root_run_id and root.id <> r.id and r.status = 'pending'
        and root.reservation_id is not null and root.status not in ${finalStates}
      returning r.id, r.user_id, r.root_run_id, r.run_seq, r.reservation_id
    ), event as (
      insert into public.event_outbox (source, aggregate_type, aggregate_id, aggregate_seq, type, user_id, root_id, run_id, run_seq, data, traceparent)
      select 'agent-runner', 'run', id, run_seq, 'run.queued', user_id, root_run_id, id, run_seq,
        jsonb_build_object('run_id', id, 'root_run_id', root_run_id, 'reservation_id', reservation_id), ${currentTraceparent()}
      from queued)
    select id from queued`.execute(tx);
  return rows.length > 0;
}

/** How many runs are above this one, up to its root. */
export async function countAncestors(tx: Tx, id: string): Promise<number> {
  const { rows } = await sql<{ above: number }>`with recursive line as (
      select parent_run_id from public.agent_runs where id = ${id}
      union all
      select r.parent_run_id from public.agent_runs r join line on r.id = line.parent_run_id
    ) select count(parent_run_id)::int as above from line`.execute(tx);
  return rows[0]?.above ?? 0;
}

/** Runs that wait for a run below them that has ended: whoever ended it did not get to tell them. */
export function wakeableParentsStatement(limit: number): RawBuilder<{ id: string }> {
  return sql`select distinct parent.id from public.agent_runs parent
    join public.agent_runs child on child.parent_run_id = parent.id
    join public.agent_steps step on step.id = child.parent_step_id
    where parent.status = 'waiting_input' and child.status in ${finalStates} and step.status = 'running'
    limit ${limit}`;
}

/** The run, or undefined when there is none that this transaction may see. */
export async function findRun(tx: Tx, id: string): Promise<RunSummary | undefined> {
  const { rows } = await sql<RunSummary>`select ${summary} from public.agent_runs where id = ${id}`.execute(
    tx,
  );
  return rows[0];
}

/** The whole row of a run that this transaction may see. */
export async function findWholeRun(tx: Tx, id: string): Promise<RunRow | undefined> {
  const { rows } = await sql<RunRow>`select * from public.agent_runs where id = ${id}`.execute(tx);
  return rows[0];
}

/** Takes the run's lock, under which its events get their numbers. */
export async function lockRun(tx: Tx, id: string): Promise<RunSummary | undefined> {
  const { rows } =
    await sql<RunSummary>`select ${summary} from public.agent_runs where id = ${id} for update`.execute(tx);
  return rows[0];
}

/** What the runs of a list have in common; what is left out does not matter. */
export interface RunFilters {
  readonly status?: readonly string[] | undefined;
  readonly mode?: readonly string[] | undefined;
  readonly kind?: 'playbook' | 'goal' | undefined;
  readonly createdAfter?: string | undefined;
  readonly createdBefore?: string | undefined;
  readonly parentRunId?: string | undefined;
  readonly rootRunId?: string | undefined;
  readonly forkedFrom?: string | undefined;
  readonly rootsOnly?: boolean | undefined;
}

/** Values are written out where the condition of an index is to be recognised. */
function conditionsOf(filters: RunFilters): RawBuilder<unknown> {
  const oneOf = (values: readonly string[], type: string) =>
    sql.join(values.map((value) => sql`${sql.lit(value)}::public.${sql.raw(type)}`));
  const { status, mode, kind, createdAfter, createdBefore, parentRunId, rootRunId, forkedFrom, rootsOnly } =
    filters;
  const conditions = [
    ...(status ? [sql`status in (${oneOf(status, 'agent_run_status')})`] : []),
    ...(mode ? [sql`mode in (${oneOf(mode, 'agent_mode')})`] : []),
    ...(kind ? [sql`kind = ${kind}`] : []),
    ...(createdAfter ? [sql`created_at >= ${createdAfter}::timestamptz`] : []),
    ...(createdBefore ? [sql`created_at < ${createdBefore}::timestamptz`] : []),
    ...(parentRunId ? [sql`parent_run_id = ${parentRunId}::uuid`] : []),
    ...(rootRunId ? [sql`root_run_id = ${rootRunId}::uuid`] : []),
    ...(forkedFrom ? [sql`forked_from = ${forkedFrom}::uuid`] : []),
    ...(rootsOnly ? [sql`parent_run_id is null`] : []),
  ];
  return conditions.length === 0 ? sql`` : sql`and ${sql.join(conditions, sql` and `)}`;
}

export interface RunListing {
  readonly limit: number;
  readonly filters: RunFilters;
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
  const before = listing.before
    ? sql`and (created_at, id) < (${listing.before.createdAt}::timestamptz, ${listing.before.id}::uuid)`
    : sql``;
  const { rows } = await sql<RunSummary & { created_at_text: string }>`
    select ${summary}, created_at::text as created_at_text from public.agent_runs
    where user_id = ${userId}::uuid ${conditionsOf(listing.filters)} ${before}
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
  /** Of the tier in the waiting line. */
  readonly weight: number;
  /** Runs below this one that may be worked on at once; null is no limit. */
  readonly max_parallel: number | null;
}

/** Puts pending runs into the waiting line, each with its run.queued. Runs that left `pending` stay as they are. */
export async function queueRuns(tx: Tx, admissions: readonly Admission[]): Promise<number> {
  const { rows } = await sql<{ id: string }>`with queued as (
      update public.agent_runs r set status = 'queued', queued_at = clock_timestamp(), reservation_id = a.reservation_id,
        reservation = a.reservation, held_micro = a.held_micro, weight = a.weight, max_parallel = a.max_parallel, run_seq = r.run_seq + 1, updated_at = clock_timestamp()
      from jsonb_to_recordset(${json(admissions)}) as a(run_id uuid, user_id uuid, reservation_id uuid, held_micro bigint,
        reservation jsonb, weight int, max_parallel int)
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

/** As isLiveStatement, for a session of the run: those before its present one are over. */
export function isSessionLiveStatement(runId: string, sessionNo: number): RawBuilder<{ live: boolean }> {
  return sql`select exists (select from public.agent_runs
    where id = ${runId} and session_no <= ${sessionNo} and status not in ${finalStates}) as live`;
}

/** The open runs of the tree below and with a run, locked in order of their ids. */
export async function lockTree(tx: Tx, runId: string): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`with recursive tree as (
      select id from public.agent_runs where id = ${runId}
      union all
      select child.id from public.agent_runs child join tree on child.parent_run_id = tree.id
    )
    select r.id from public.agent_runs r join tree on tree.id = r.id
    where r.status not in ${finalStates} order by r.id for update of r`.execute(tx);
  return rows.map((row) => row.id);
}

/**
 * Notes on all open runs of a user that there were credits at this time, and returns those that are paused for want of
 * them or about to be, locked.
 */
export async function markGranted(tx: Tx, userId: string, at: string): Promise<string[]> {
  const { rows } = await sql<{ id: string; pause_reason: string | null }>`with open as (
      select id from public.agent_runs
      where user_id = ${userId} and status in ('pending', 'queued', 'planning', 'running', 'waiting_input', 'paused')
      order by id for update
    )
    update public.agent_runs r set granted_at = greatest(coalesce(r.granted_at, ${at}::timestamptz), ${at}::timestamptz)
    from open where r.id = open.id returning r.id, r.pause_reason`.execute(tx);
  return rows.filter((row) => row.pause_reason === 'credits').map((row) => row.id);
}
