import type { Tx } from '@swissbrain/service-kit/database';
import { type RawBuilder, sql } from 'kysely';

/** Steps of one kind of tool, and of one model where it was one; amounts are micro-credits. */
export interface UsageRow {
  readonly tool: string;
  /** Null where no model answered. */
  readonly model: string | null;
  readonly steps: number;
  readonly failed: number;
  readonly duration_ms: bigint;
  readonly cost_micro: bigint;
  readonly input: bigint;
  readonly cache_read: bigint;
  readonly cache_write: bigint;
  readonly output: bigint;
}

/** Whose usage: of one run, of a tree of runs, or of all runs that a user has made in a time. */
export type UsageScope =
  | { readonly of: 'run' | 'tree'; readonly runId: string }
  | { readonly of: 'user'; readonly userId: string; readonly from: Date; readonly to: Date };

function runsOf(scope: UsageScope): RawBuilder<unknown> {
  if (scope.of === 'user') {
    return sql`r.user_id = ${scope.userId}::uuid and r.created_at >= ${scope.from} and r.created_at < ${scope.to}`;
  }
  return scope.of === 'run' ? sql`r.id = ${scope.runId}::uuid` : sql`r.root_run_id = ${scope.runId}::uuid`;
}

const tokens = (name: string) =>
  sql`coalesce(sum((s.output #>> ${sql.lit(`{tokens,${name}}`)})::numeric), 0)::bigint`;

/**
 * What the steps of these runs have used, by tool and model. Steps that were taken over from another run count there.
 * The outermost tokens of an `llm` step are the model's: the agent-runner writes them.
 */
export async function sumUsage(tx: Tx, scope: UsageScope): Promise<UsageRow[]> {
  const { rows } = await sql<UsageRow>`select s.tool::text as tool,
      case when s.tool = 'llm' then s.output ->> 'model' end as model,
      count(*)::int as steps, (count(*) filter (where s.status = 'failed'))::int as failed,
      coalesce(sum(s.duration_ms), 0)::bigint as duration_ms, sum(s.cost_micro)::bigint as cost_micro,
      ${tokens('input')} as input, ${tokens('cacheRead')} as cache_read, ${tokens('cacheWrite')} as cache_write,
      ${tokens('output')} as output
    from public.agent_runs r join public.agent_steps s on s.run_id = r.id
    where ${runsOf(scope)} and s.started_at is not null and s.finished_at is not null
    group by 1, 2 order by 1, 2`.execute(tx);
  return rows;
}

/** How many runs that is. */
export async function countRuns(tx: Tx, scope: UsageScope): Promise<number> {
  const { rows } = await sql<{ runs: number }>`select count(*)::int as runs from public.agent_runs r
    where ${runsOf(scope)}`.execute(tx);
  return rows[0]?.runs ?? 0;
}
