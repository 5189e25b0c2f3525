import type { Tx } from '@swissbrain/service-kit/database';
import { type RawBuilder, sql } from 'kysely';
import { interval } from './statements.ts';

/** What is being done about a user who leaves, in this order. */
export type DeletionStage = 'runs' | 'files' | 'rows' | 'rest' | 'done';

/** The removal of a user as its row holds it. */
export interface DeletionRow {
  readonly id: string;
  readonly user_id: string;
  readonly stage: DeletionStage;
  readonly runs_cancelled: number;
  readonly runs_deleted: number;
  readonly files_deleted: number;
  readonly requested_at: Date;
  readonly updated_at: Date;
  readonly finished_at: Date | null;
}

const columns = sql`id, user_id, stage, runs_cancelled, runs_deleted, files_deleted, requested_at, updated_at, finished_at`;

/** One lock per user: whoever makes something for them shares it, whoever begins to remove them has it alone. */
const lockOf = (userId: string) => sql`hashtextextended(${`leaving:${userId}`}::text, 0)`;

/** True when the user leaves or has left. Until the end of the transaction nobody can begin to remove them. */
export async function isLeaving(tx: Tx, userId: string): Promise<boolean> {
  await sql`select pg_advisory_xact_lock_shared(${lockOf(userId)})`.execute(tx);
  const { rows } = await sql<{ leaving: boolean }>`select exists (
    select from public.agent_user_deletions where user_id = ${userId}) as leaving`.execute(tx);
  return rows[0]?.leaving ?? false;
}

/** Records that a user leaves, once; waits for what is being made for them. */
export async function insertDeletion(tx: Tx, userId: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(${lockOf(userId)})`.execute(tx);
  await sql`insert into public.agent_user_deletions (user_id)
    select ${userId}::uuid where not exists (select from public.agent_user_deletions where user_id = ${userId}::uuid)`.execute(
    tx,
  );
}

/** Records that a user was deleted elsewhere, unless that was our own doing. Their rows are gone already. */
export async function insertForeignDeletion(tx: Tx, userId: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(${lockOf(userId)})`.execute(tx);
  await sql`insert into public.agent_user_deletions (user_id, requested_by, stage)
    select ${userId}::uuid, 'system', 'files'
    where not exists (select from public.agent_user_deletions where user_id = ${userId}::uuid)`.execute(tx);
}

/** The removal of a user, if they asked for one. */
export async function findDeletion(tx: Tx, userId: string): Promise<DeletionRow | undefined> {
  const { rows } = await sql<DeletionRow>`select ${columns} from public.agent_user_deletions
    where user_id = ${userId}::uuid order by requested_at desc limit 1`.execute(tx);
  return rows[0];
}

/** Removals under way, the oldest first. `settled`: nothing was done about it for so long. */
export function openDeletionsStatement(
  limit: number,
  settleMs: number,
): RawBuilder<DeletionRow & { settled: boolean }> {
  return sql`select ${columns}, updated_at <= now() - ${interval(settleMs)} as settled
    from public.agent_user_deletions where finished_at is null order by requested_at limit ${limit}`;
}

/** What one stage has done. */
export interface DeletionCounts {
  readonly runsCancelled?: number;
  readonly runsDeleted?: number;
  readonly filesDeleted?: number;
}

/** Adds to the counts, and moves on to `to` if nobody else has. */
export function advanceDeletionStatement(
  id: string,
  from: DeletionStage,
  to: DeletionStage,
  counts: DeletionCounts,
): RawBuilder<{ id: string }> {
  const { runsCancelled = 0, runsDeleted = 0, filesDeleted = 0 } = counts;
  return sql`update public.agent_user_deletions set stage = ${to}, updated_at = now(),
      runs_cancelled = runs_cancelled + ${runsCancelled}::int, runs_deleted = runs_deleted + ${runsDeleted}::int,
      files_deleted = files_deleted + ${filesDeleted}::int,
      finished_at = case when ${to}::text = 'done' then now() end
    where id = ${id} and stage = ${from} returning id`;
}

/** Runs of a user that have not ended, with whether their cancel is on its way. */
export function liveRunsStatement(
  userId: string,
  limit: number,
): RawBuilder<{ id: string; cancel_requested: boolean }> {
  return sql`select id, cancel_requested_at is not null as cancel_requested from public.agent_runs
    where user_id = ${userId}::uuid and status in ('pending', 'queued', 'planning', 'running', 'waiting_input', 'paused')
    order by created_at desc, id desc limit ${limit}`;
}

/** Deletes the user in all slices. */
export async function deleteUser(tx: Tx, userId: string): Promise<void> {
  await sql`select sb.delete_user(${userId}::uuid)`.execute(tx);
}

/**
 * A run and its events go together, children before their parents. What is not published yet stays until it is: credits
 * settles by it.
 */
const deleteOf = (doomed: RawBuilder<unknown>): RawBuilder<{ id: string }> => sql`with doomed as (
    select r.id from public.agent_runs r where ${doomed}
  ), events as (
    delete from public.event_outbox o using doomed where o.run_id = doomed.id
  ) delete from public.agent_runs r using doomed where r.id = doomed.id returning r.id`;

const deletable = sql`r.finished_at is not null
  and not exists (select from public.agent_runs c where c.parent_run_id = r.id)
  and not exists (select from public.event_outbox o where o.run_id = r.id and o.published_at is null)`;

/** Deletes finished runs of a user, at most `limit`. */
export function deleteRunsOfUserStatement(userId: string, limit: number): RawBuilder<{ id: string }> {
  return deleteOf(sql`r.user_id = ${userId}::uuid and ${deletable} order by r.finished_at limit ${limit}`);
}

/** Deletes runs whose days are over by the tier of their hold, at most `limit`, the longest overdue first. */
export function deleteExpiredRunsStatement(limit: number): RawBuilder<{ id: string }> {
  const expiry = sql`(r.finished_at at time zone 'UTC') + make_interval(days =>
    case when r.reservation is null then 30 else (r.reservation #>> '{limits,retention_days}')::int end)`;
  return deleteOf(
    sql`${expiry} < now() at time zone 'UTC' and ${deletable} order by ${expiry} limit ${limit}`,
  );
}

/** One run that the user has left, if there is one. */
export function anyRunStatement(userId: string): RawBuilder<{ id: string }> {
  return sql`select id from public.agent_runs where user_id = ${userId}::uuid order by created_at desc, id desc limit 1`;
}
