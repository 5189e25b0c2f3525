import type { Tx } from '@swissbrain/service-kit/database';
import type { MicroCredits } from '@swissbrain/shared-schema/amount';
import type { UserId } from '@swissbrain/shared-schema/ids';
import { sql } from 'kysely';

export interface UsageFilter {
  readonly userId: UserId;
  readonly from: Date;
  readonly to: Date;
  readonly timeZone: string;
}
export type UsageGroup = 'day' | 'tool' | 'model' | 'run';

export interface UsageRow {
  readonly key: string;
  readonly cost: MicroCredits;
  readonly charged: MicroCredits;
  readonly entries: number;
  readonly input_tokens: string | null;
  readonly output_tokens: string | null;
  readonly first_at: Date;
  readonly last_at: Date;
  /** What the groups are ordered by, descending, and then by their key; for the cursor. */
  readonly position: string;
}

/** `llm.gpt-4.1.input` is the tool `llm` and the model `gpt-4.1`; `web.search` is the tool `search`. */
const keys = {
  day: (zone: string) => sql`to_char(created_at AT TIME ZONE ${zone}, 'YYYY-MM-DD')`,
  tool: () =>
    sql`CASE split_part(operation, '.', 1) WHEN 'web' THEN 'search' ELSE split_part(operation, '.', 1) END`,
  model: () => sql`substring(operation from '^llm\\.(.+)\\.(?:input|output)$')`,
  run: () => sql`run_id::text`,
} as const satisfies Record<UsageGroup, unknown>;

const tokens = (direction: 'input' | 'output') =>
  sql`(sum(quantity) FILTER (WHERE operation LIKE ${`llm.%.${direction}`}))::text`;

/**
 * Up to `limit` groups of a user's usage after a position: days newest first, runs by their first usage in the range,
 * newest first, tools and models by name. New usage does not move a group to another place.
 */
export async function selectUsage(
  tx: Tx,
  filter: UsageFilter & {
    readonly groupBy: UsageGroup;
    readonly after: { readonly position: string; readonly key: string } | undefined;
    readonly limit: number;
  },
): Promise<UsageRow[]> {
  const { userId, from, to, timeZone, groupBy, after, limit } = filter;
  const key = keys[groupBy](timeZone);
  const position = { day: sql`key`, tool: sql`''`, model: sql`''`, run: sql`first_text` }[groupBy];
  const onward = after
    ? sql`WHERE (position < ${after.position} OR position = ${after.position} AND key > ${after.key})`
    : sql``;
  const { rows } = await sql<UsageRow>`
    SELECT * FROM (
      SELECT *, ${position} AS position FROM (
        SELECT ${key} COLLATE "C" AS key, sum(cost_micro)::bigint AS cost, -sum(amount_micro)::bigint AS charged,
               count(*)::int AS entries, ${tokens('input')} AS input_tokens, ${tokens('output')} AS output_tokens,
               min(created_at) AS first_at, max(created_at) AS last_at,
               to_char(min(created_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') COLLATE "C" AS first_text
        FROM public.credit_transactions
        WHERE user_id = ${userId}::uuid AND kind = 'consume'
          AND created_at >= ${from}::timestamptz AND created_at < ${to}::timestamptz
        GROUP BY 1
      ) grouped WHERE key IS NOT NULL
    ) placed ${onward}
    ORDER BY position DESC, key LIMIT ${limit}`.execute(tx);
  return rows;
}

export interface UsageEntryRow {
  readonly id: string;
  readonly at: string;
  readonly run_id: string;
  readonly step_id: string;
  readonly operation: string;
  readonly quantity: bigint;
  readonly cost_micro: MicroCredits;
  readonly amount_micro: MicroCredits;
  readonly position: string;
}

/** Up to `limit` entries of a user's usage after a position, oldest first, with their local time. */
export async function selectUsageEntries(
  tx: Tx,
  filter: UsageFilter & {
    readonly after: { readonly createdAt: string; readonly id: string } | undefined;
    readonly limit: number;
  },
): Promise<UsageEntryRow[]> {
  const { userId, from, to, timeZone, after, limit } = filter;
  const onward = after
    ? sql`AND (created_at, id) > (${after.createdAt}::timestamptz, ${after.id}::uuid)`
    : sql``;
  const { rows } = await sql<UsageEntryRow>`
    SELECT id, to_char(created_at AT TIME ZONE ${timeZone}, 'YYYY-MM-DD HH24:MI:SS') AS at, run_id, step_id, operation,
           quantity, cost_micro, amount_micro, created_at::text AS position
    FROM public.credit_transactions
    WHERE user_id = ${userId}::uuid AND kind = 'consume'
      AND created_at >= ${from}::timestamptz AND created_at < ${to}::timestamptz ${onward}
    ORDER BY created_at, id LIMIT ${limit}`.execute(tx);
  return rows;
}

/** The zone that a user's months are counted in; UTC before there is a subscription. */
export async function findTimeZone(tx: Tx, userId: UserId): Promise<string> {
  const { rows } = await sql<{ time_zone: string }>`
    SELECT time_zone FROM public.user_subscriptions WHERE user_id = ${userId}::uuid AND status <> 'ended'`.execute(
    tx,
  );
  return rows[0]?.time_zone ?? 'UTC';
}
