import type { Tx } from '@swissbrain/service-kit/database';
import { type RawBuilder, sql } from 'kysely';
import type { NewArtifact } from './advance.ts';
import { json } from './statements.ts';

/** An artifact as its row holds it. */
export interface ArtifactRow {
  readonly id: string;
  readonly run_id: string;
  readonly step_id: string | null;
  readonly kind: 'input' | 'output' | 'workspace' | 'log';
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

/** All artifacts of a run in the order they were made. */
export async function listArtifacts(tx: Tx, runId: string): Promise<ArtifactRow[]> {
  const { rows } = await sql<ArtifactRow>`select * from public.agent_artifacts
    where run_id = ${runId} order by created_at, name limit 10000`.execute(tx);
  return rows;
}

export async function findArtifact(tx: Tx, id: string): Promise<ArtifactRow | undefined> {
  const { rows } = await sql<ArtifactRow>`select * from public.agent_artifacts where id = ${id}`.execute(tx);
  return rows[0];
}

/** Those of these keys that a file still refers to. */
export function referredStatement(keys: readonly string[]): RawBuilder<{ storage_key: string }> {
  return sql`select distinct storage_key from public.agent_artifacts where storage_key = any(${keys}::text[])`;
}
