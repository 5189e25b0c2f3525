import type { Tx } from '@swissbrain/service-kit/database';
import { type RawBuilder, sql } from 'kysely';
import { json } from './statements.ts';

/** Something that agents keep for a user. */
export interface MemoryRow {
  readonly id: string;
  readonly namespace: string;
  readonly key: string;
  readonly content: string;
  readonly metadata: Record<string, unknown>;
  /** The run that wrote it first, while it exists. */
  readonly run_id: string | null;
  readonly created_at: Date;
  readonly updated_at: Date;
}

export interface NewMemory {
  readonly userId: string;
  readonly tenantId: string | null;
  readonly runId: string | null;
  readonly namespace: string;
  readonly key: string;
  readonly content: string;
  readonly metadata: Readonly<Record<string, unknown>>;
}

const columns = sql`id, namespace, key, content, metadata, run_id, created_at, updated_at`;

/** Keeps something under its key, instead of what was there. */
export async function saveMemory(tx: Tx, memory: NewMemory): Promise<MemoryRow> {
  const { rows } = await sql<MemoryRow>`insert into public.agent_memory
      (user_id, tenant_id, run_id, namespace, key, content, metadata)
    values (${memory.userId}, ${memory.tenantId}, ${memory.runId}, ${memory.namespace}, ${memory.key}, ${memory.content},
      ${json(memory.metadata)})
    on conflict (user_id, namespace, key) do update set content = excluded.content, metadata = excluded.metadata,
      updated_at = now()
    returning ${columns}`.execute(tx);
  const [row] = rows;
  if (!row) throw new Error('a memory was saved and did not come back');
  return row;
}

export interface MemorySearch {
  readonly userId: string;
  /** As people type it: words, "phrases", or, -without. */
  readonly query: string;
  /** All of them without. */
  readonly namespace: string | undefined;
  readonly limit: number;
}

/**
 * The best matches first. As the service, with the user named: under row-level security Postgres looks nothing up by an
 * operator that might leak what it compares.
 */
export function searchMemoryStatement(search: MemorySearch): RawBuilder<MemoryRow> {
  const namespace = search.namespace === undefined ? sql`` : sql`and namespace = ${search.namespace}`;
  return sql`select ${columns} from public.agent_memory, websearch_to_tsquery('simple', ${search.query}) as asked
    where user_id = ${search.userId}::uuid and search @@ asked ${namespace}
    order by ts_rank_cd(search, asked) desc, updated_at desc limit ${search.limit}`;
}

export interface MemoryListing {
  readonly limit: number;
  readonly namespace: string | undefined;
  readonly before: { readonly createdAt: string; readonly id: string } | undefined;
}

/** What a user's agents keep, last changed first. */
export async function listMemories(
  tx: Tx,
  userId: string,
  { limit, namespace, before }: MemoryListing,
): Promise<(MemoryRow & { updated_at_text: string })[]> {
  const within = namespace === undefined ? sql`` : sql`and namespace = ${namespace}`;
  const after = before
    ? sql`and (updated_at, id) < (${before.createdAt}::timestamptz, ${before.id}::uuid)`
    : sql``;
  const { rows } = await sql<MemoryRow & { updated_at_text: string }>`
    select ${columns}, updated_at::text as updated_at_text from public.agent_memory
    where user_id = ${userId}::uuid ${within} ${after}
    order by updated_at desc, id desc limit ${limit}`.execute(tx);
  return rows;
}

/** Forgets one of the transaction's user; false when there is none. */
export async function deleteMemory(tx: Tx, id: string): Promise<boolean> {
  const { rows } = await sql`delete from public.agent_memory where id = ${id} returning id`.execute(tx);
  return rows.length > 0;
}
