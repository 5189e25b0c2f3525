import type { Database, Principal } from '@swissbrain/service-kit/database';
import { errors } from '../errors.ts';
import { findRun } from '../store/runs.ts';
import { countRuns, sumUsage, type UsageRow, type UsageScope } from '../store/usage.ts';

const dayMs = 86_400_000;
const usualDays = 30;
const mostDays = 366;

export interface Usage {
  readonly runs: number;
  readonly rows: readonly UsageRow[];
}

/** The time that is meant. @throws AppError invalid_range */
export function usageRange(
  query: { readonly from?: string | undefined; readonly to?: string | undefined },
  now: Date,
): { readonly from: Date; readonly to: Date } {
  const to = query.to === undefined ? now : new Date(query.to);
  const from = query.from === undefined ? new Date(to.getTime() - usualDays * dayMs) : new Date(query.from);
  const days = (to.getTime() - from.getTime()) / dayMs;
  if (days <= 0 || days > mostDays) {
    throw errors.invalid_range(`give a time of at most ${mostDays} days, "from" before "to"`);
  }
  return { from, to };
}

/** What the caller's runs of a time have used. */
export function readUserUsage(
  database: Database,
  principal: Principal,
  range: { readonly from: Date; readonly to: Date },
): Promise<Usage> {
  const scope: UsageScope = { of: 'user', userId: principal.userId, ...range };
  return database.withUser(principal, async (tx) => ({
    runs: await countRuns(tx, scope),
    rows: await sumUsage(tx, scope),
  }));
}

/** What one run has used; with `tree` and where it is a root, with all below it. @throws AppError run_not_found */
export function readRunUsage(
  database: Database,
  principal: Principal,
  runId: string,
  tree: boolean,
): Promise<Usage> {
  return database.withUser(principal, async (tx) => {
    const run = await findRun(tx, runId);
    if (!run) throw errors.run_not_found(`there is no run ${runId}`);
    const scope: UsageScope = { of: tree && run.root_run_id === run.id ? 'tree' : 'run', runId };
    return { runs: await countRuns(tx, scope), rows: await sumUsage(tx, scope) };
  });
}
