import { waitFor } from '@swissbrain/testkit/wait';
import { expect } from 'vitest';
import type { WholeStack } from './whole-stack.ts';

const finalTypes = ['run.completed', 'run.failed', 'run.cancelled', 'run.timed_out'];

interface Reservation {
  readonly id: string;
  readonly state: string;
  readonly held_micro: string;
  readonly consumed_micro: string;
  readonly released_micro: string;
}

/** Waits until a run has ended and its hold is settled. */
export async function waitUntilSettled(
  stack: Pick<WholeStack, 'query'>,
  runId: string,
  timeoutMs = 90_000,
): Promise<Reservation> {
  return waitFor(
    async () => {
      const [row] = await stack.query<Reservation>(
        `select id, state, held_micro, consumed_micro, released_micro from public.credit_reservations where run_id = $1`,
        [runId],
      );
      return row?.state === 'settled' ? row : undefined;
    },
    { describe: `run ${runId} to settle`, timeoutMs },
  );
}

/**
 * Holds runs that have settled against what must be true of every run, whatever was killed: one end, every fact
 * published once and in order, every step charged once and at its price, a ledger that adds up.
 */
export async function auditRuns(stack: Pick<WholeStack, 'query'>, runIds: readonly string[]): Promise<void> {
  const users = new Set<string>();
  for (const runId of runIds) {
    await auditStory(stack, runId);
    users.add(await auditMoney(stack, runId));
  }
  // Once for each, since it recomputes all that a user ever did.
  for (const user of users) {
    const violations = await stack.query('select * from public.verify_credits($1)', [user]);
    expect(violations, 'a ledger without drift').toEqual([]);
  }
}

/** Does so with one run. */
export function auditRun(stack: Pick<WholeStack, 'query'>, runId: string): Promise<void> {
  return auditRuns(stack, [runId]);
}

async function auditStory(stack: Pick<WholeStack, 'query'>, runId: string): Promise<void> {
  await waitFor(
    async () => {
      const [row] = await stack.query<{ open: string }>(
        'select count(*) as open from public.event_outbox where published_at is null',
      );
      return row?.open === '0';
    },
    { describe: 'every event to be published', timeoutMs: 60_000 },
  );
  const events = await stack.query<{ type: string; run_seq: string }>(
    `select type, run_seq from public.event_outbox where run_id = $1 and source = 'agent-runner' order by run_seq`,
    [runId],
  );
  const ends = events.filter(({ type }) => finalTypes.includes(type));
  expect(ends, 'one closing event').toHaveLength(1);
  expect(events.at(-1), 'and nothing after it').toEqual(ends[0]);
  expect(events.map(({ run_seq }) => Number(run_seq))).toEqual(events.map((_, index) => index + 1));
}

/** Resolves to the user who paid. */
async function auditMoney(stack: Pick<WholeStack, 'query'>, runId: string): Promise<string> {
  const used = await stack.query<{ step_id: string; operation: string; quantity: string }>(
    `select s.id as step_id, line ->> 'operation' as operation, line ->> 'quantity' as quantity
     from public.agent_steps s, jsonb_array_elements(s.usage) line where s.run_id = $1 order by 1, 2`,
    [runId],
  );
  const charged = await stack.query<{
    step_id: string;
    operation: string;
    quantity: string;
    cost_micro: string;
  }>(
    `select t.step_id, t.operation, t.quantity, t.cost_micro from public.credit_transactions t
     where t.run_id = $1 and t.kind = 'consume' order by 1, 2`,
    [runId],
  );
  expect(
    charged.map(({ cost_micro: _, ...line }) => line),
    'each step charged once, for what it used',
  ).toEqual(used);

  const [hold] = await stack.query<Reservation & { user_id: string }>(
    'select * from public.credit_reservations where run_id = $1',
    [runId],
  );
  if (!hold) throw new Error(`run ${runId} has no reservation`);
  const cost = charged.reduce((sum, line) => sum + BigInt(line.cost_micro), 0n);
  expect(BigInt(hold.consumed_micro)).toBe(cost);
  expect(BigInt(hold.held_micro)).toBe(cost + BigInt(hold.released_micro));
  return hold.user_id;
}
