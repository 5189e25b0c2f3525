import { randomUUID } from 'node:crypto';
import type { TestDatabase } from '@swissbrain/testkit/database';
import { waitFor } from '@swissbrain/testkit/wait';

/** What agent-runner tells of a run whose estimate is known. */
export const requestOf = (run: string, estimate: object[], budget: string | null = null) => ({
  run_id: run,
  root_run_id: run,
  parent_run_id: null,
  tenant_id: null,
  mode: 'playbook',
  title: 'a test',
  estimate,
  budget_micro: budget,
});
export const tenSearches = [{ operation: 'web.search', quantity: '10' }];

/** The end of a step that searched so often, of a run or, below `root`, of a child of it. */
export const stepOf = (run: string, stepId: string, searches: number, root = run) => ({
  run_id: run,
  root_run_id: root,
  step_id: stepId,
  step_key: 'a',
  step_index: 0,
  tool: 'search',
  attempt: 1,
  usage: [{ operation: 'web.search', quantity: String(searches) }],
  duration_ms: 5,
});

/** The end of a run with these billable steps. */
export const closingOf = (run: string, steps: readonly string[]) => ({
  run_id: run,
  root_run_id: run,
  attempt: 1,
  billable_steps: steps.length,
  billable_step_ids: steps,
  steps: steps.length,
  error: null,
});

export interface Hold {
  readonly id: string;
  readonly state: string;
  readonly held_micro: bigint;
  readonly consumed_micro: bigint;
  readonly released_micro: bigint;
  readonly late_micro: bigint;
}

/** Looks at holds and events, past every policy. */
export function looksInto(stack: () => { readonly database: TestDatabase }) {
  const query = <Row extends object>(text: string, ...values: readonly unknown[]) =>
    stack().database.query<Row>(text, values);
  const holdOf = async (run: string): Promise<Hold | undefined> =>
    (await query<Hold>('SELECT * FROM credit_reservations WHERE run_id = $1', run))[0];
  return {
    query,
    holdOf,
    holdIn: (run: string, state: string) =>
      waitFor(
        async () => {
          const hold = await holdOf(run);
          return hold?.state === state ? hold : null;
        },
        { describe: `the hold of ${run} to be ${state}` },
      ),
    published: (run: string, type: string) =>
      waitFor(
        async () => {
          const rows = await query<{ data: Record<string, unknown> }>(
            'SELECT data FROM event_outbox WHERE root_id = $1 AND type = $2 AND published_at IS NOT NULL',
            ...[run, type],
          );
          return rows[0]?.data;
        },
        { describe: `${type} of ${run} to be published` },
      ),
    async newUser(): Promise<string> {
      const user = randomUUID();
      await query('INSERT INTO auth.users (id) VALUES ($1)', user);
      return user;
    },
    verify: (user: string) => query('SELECT * FROM verify_credits($1)', user),
  };
}
