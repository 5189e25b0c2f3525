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

/** What a text means, as a vector of length 1. */
export interface Embedding {
  readonly vector: readonly number[];
  /** Model and dimensions; others cannot be compared with it. */
  readonly model: string;
}

export interface NewMemory {
  readonly userId: string;
  readonly tenantId: string | null;
  readonly runId: string | null;
  readonly namespace: string;
  readonly key: string;
  readonly content: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly embedding: Embedding | null;
}

const columns = sql`id, namespace, key, content, metadata, run_id, created_at, updated_at`;

/** Keeps something under its key, instead of what was there. */
export async function saveMemory(tx: Tx, memory: NewMemory): Promise<MemoryRow> {
  const { rows } = await sql<MemoryRow>`insert into public.agent_memory
      (user_id, tenant_id, run_id, namespace, key, content, metadata, embedding, embedding_model)
    values (${memory.userId}, ${memory.tenantId}, ${memory.runId}, ${memory.namespace}, ${memory.key}, ${memory.content},
      ${json(memory.metadata)}, ${memory.embedding?.vector ?? null}::real[], ${memory.embedding?.model ?? null})
    on conflict (user_id, namespace, key) do update set content = excluded.content, metadata = excluded.metadata,
      embedding = excluded.embedding, embedding_model = excluded.embedding_model, updated_at = now()
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
  /** What the query means, and how near a match must be at least (cosine); null: by words alone. */
  readonly near: (Embedding & { readonly atLeast: number }) | null;
}

/** Of the user's memories so many, last changed first, are compared by meaning; by words all of them. */
const comparedByMeaning = 1_000;
const foundByWords = 100;
/** Of reciprocal rank fusion: how little the first places of one list outweigh those of the other. */
const fusion = 60;

/**
 * The best matches first. As the service, with the user named: under row-level security Postgres looks nothing up by an
 * operator that might leak what it compares.
 */
export function searchMemoryStatement(search: MemorySearch): RawBuilder<MemoryRow> {
  const namespace = search.namespace === undefined ? sql`` : sql`and namespace = ${search.namespace}`;
  if (search.near) return searchByMeaningStatement(search, search.near, namespace);
  return sql`select ${columns} from public.agent_memory, websearch_to_tsquery('simple', ${search.query}) as asked
    where user_id = ${search.userId}::uuid and search @@ asked ${namespace}
    order by ts_rank_cd(search, asked) desc, updated_at desc limit ${search.limit}`;
}

/** Both lists by place, and those that stand in both first: ranks of words and cosines have no common measure. */
function searchByMeaningStatement(
  { userId, query, limit }: MemorySearch,
  { vector, model, atLeast }: NonNullable<MemorySearch['near']>,
  namespace: RawBuilder<unknown>,
): RawBuilder<MemoryRow> {
  return sql`with by_words as materialized (
      select id, row_number() over (order by ts_rank_cd(search, asked) desc, updated_at desc) as place
      from public.agent_memory, websearch_to_tsquery('simple', ${query}) as asked
      where user_id = ${userId}::uuid and search @@ asked ${namespace}
      order by place limit ${foundByWords}),
    recent as materialized (
      select id, embedding, embedding_model from public.agent_memory where user_id = ${userId}::uuid ${namespace}
      order by updated_at desc, id desc limit ${comparedByMeaning}),
    compared as (
      select id, (select sum(a * b) from unnest(embedding, ${vector}::real[]) as pair (a, b)) as nearness
      from recent where embedding_model = ${model}),
    by_meaning as (
      select id, row_number() over (order by nearness desc) as place from compared
      where nearness >= ${atLeast} order by place limit ${limit}),
    best as (
      select id, sum(1.0 / (${fusion} + place)) as score
      from (select * from by_words union all select * from by_meaning) as found
      group by id order by score desc limit ${limit})
    select m.id, namespace, key, content, metadata, run_id, created_at, updated_at
    from best join public.agent_memory as m on m.id = best.id
    order by score desc, updated_at desc`;
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
