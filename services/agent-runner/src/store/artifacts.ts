import type { Tx } from '@swissbrain/service-kit/database';
import { type RawBuilder, sql } from 'kysely';
import type { NewArtifact } from './advance.ts';
import { json } from './statements.ts';

/** An artifact as its row holds it. */
export interface ArtifactRow {
  readonly id: string;
  /** Null for an upload. */
  readonly run_id: string | null;
  readonly step_id: string | null;
  readonly kind: 'input' | 'output' | 'workspace' | 'log' | 'upload';
  readonly name: string;
  readonly media_type: string;
  readonly size_bytes: bigint;
  readonly sha256: string;
  readonly storage_key: string;
  readonly created_at: Date;
}

/** Records files whose bytes are stored already; for a run's inputs, in the transaction that creates the run. */
export async function insertArtifacts(
  tx: Tx,
  run: { readonly id: string; readonly userId: string },
  artifacts: readonly NewArtifact[],
): Promise<void> {
  if (artifacts.length === 0) return;
  await sql`insert into public.agent_artifacts (id, run_id, user_id, step_id, kind, name, media_type, size_bytes, sha256, storage_key)
    select a."id", ${run.id}, ${run.userId}, a."stepId", a."kind", a."name", a."mediaType", a."sizeBytes", a."sha256", a."storageKey"
    from jsonb_to_recordset(${json(artifacts)}) as a("id" uuid, "stepId" uuid, "kind" text, "name" text, "mediaType" text,
      "sizeBytes" bigint, "sha256" text, "storageKey" text)`.execute(tx);
}

/** Lets a run refer to all values that another one has stored: to those which are copied, and harmlessly to the others. */
export async function copyPayloads(
  tx: Tx,
  run: { readonly id: string; readonly userId: string },
  from: string,
): Promise<void> {
  await sql`insert into public.agent_artifacts (run_id, user_id, kind, name, media_type, size_bytes, sha256, storage_key)
    select ${run.id}, ${run.userId}, kind, name, media_type, size_bytes, sha256, storage_key
    from public.agent_artifacts where run_id = ${from} and kind = 'payload'
    on conflict (run_id, kind, name, sha256, user_id) do nothing`.execute(tx);
}

/** All files of a run in the order they were made; values of its steps and the kept workspace are the run's own. */
export async function listArtifacts(tx: Tx, runId: string): Promise<ArtifactRow[]> {
  const { rows } = await sql<ArtifactRow>`select * from public.agent_artifacts
    where run_id = ${runId} and kind not in ('payload', 'workspace') order by created_at, name limit 10000`.execute(
    tx,
  );
  return rows;
}

/** One file. */
export async function findArtifact(tx: Tx, id: string): Promise<ArtifactRow | undefined> {
  const { rows } = await sql<ArtifactRow>`select * from public.agent_artifacts
    where id = ${id} and kind <> 'payload'`.execute(tx);
  return rows[0];
}

/** Several files of the transaction's user, in no order. */
export async function findArtifacts(tx: Tx, ids: readonly string[]): Promise<ArtifactRow[]> {
  const { rows } = await sql<ArtifactRow>`select * from public.agent_artifacts
    where id = any(${ids}::uuid[]) and kind <> 'payload'`.execute(tx);
  return rows;
}

/** A page of a user's files, newest first; `created_at_text` keeps the microseconds for a cursor. */
export async function listUserArtifacts(
  tx: Tx,
  userId: string,
  page: {
    readonly limit: number;
    readonly before: { readonly createdAt: string; readonly id: string } | undefined;
    readonly kind: string | undefined;
  },
): Promise<(ArtifactRow & { created_at_text: string })[]> {
  const before = page.before
    ? sql`and (created_at, id) < (${page.before.createdAt}::timestamptz, ${page.before.id}::uuid)`
    : sql``;
  const kind = page.kind ? sql`and kind = ${page.kind}` : sql`and kind <> 'payload'`;
  const { rows } = await sql<ArtifactRow & { created_at_text: string }>`
    select *, created_at::text as created_at_text from public.agent_artifacts
    where user_id = ${userId}::uuid ${kind} ${before}
    order by created_at desc, id desc limit ${page.limit}`.execute(tx);
  return rows;
}

/** What a user has uploaded, in bytes, and the disk of a sandbox by the tier of their last hold; null before the first. */
export async function measureUploads(
  tx: Tx,
  userId: string,
): Promise<{ readonly stored: bigint; readonly sandboxDiskMb: number | null }> {
  const { rows } = await sql<{ stored: bigint; disk: number | null }>`select
      (select coalesce(sum(size_bytes), 0)::bigint from public.agent_artifacts
        where user_id = ${userId}::uuid and run_id is null) as stored,
      (select (reservation #>> '{limits,sandbox_disk_mb}')::int from public.agent_runs
        where user_id = ${userId}::uuid and reservation is not null
        order by created_at desc, id desc limit 1) as disk`.execute(tx);
  const [row] = rows;
  return { stored: row?.stored ?? 0n, sandboxDiskMb: row?.disk ?? null };
}

/** A file that was uploaded and belongs to no run yet. */
export async function insertUpload(
  tx: Tx,
  userId: string,
  upload: Omit<NewArtifact, 'kind' | 'stepId'>,
): Promise<ArtifactRow> {
  const { rows } = await sql<ArtifactRow>`insert into public.agent_artifacts
      (id, user_id, kind, name, media_type, size_bytes, sha256, storage_key)
    values (${upload.id}, ${userId}, 'upload', ${upload.name}, ${upload.mediaType}, ${upload.sizeBytes}, ${upload.sha256},
      ${upload.storageKey}) returning *`.execute(tx);
  const [row] = rows;
  if (!row) throw new Error('an upload was inserted and cannot be read');
  return row;
}

/** Deletes uploads that are older than so many days, at most `limit`. Runs that were given one keep its bytes. */
export function deleteExpiredUploadsStatement(days: number, limit: number): RawBuilder<{ id: string }> {
  return sql`delete from public.agent_artifacts where id in (
      select id from public.agent_artifacts
      where run_id is null and created_at < now() - ${days}::int * interval '1 day' limit ${limit})
    returning id`;
}

/** Those of these keys that a file still refers to. */
export function referredStatement(keys: readonly string[]): RawBuilder<{ storage_key: string }> {
  return sql`select distinct storage_key from public.agent_artifacts where storage_key = any(${keys}::text[])`;
}
