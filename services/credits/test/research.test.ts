import { randomUUID } from 'node:crypto';
import { runCompleted, runRequested, stepCompleted } from '@swissbrain/shared-schema/events/agent-runner';
import type { EventDefinition } from '@swissbrain/shared-schema/events/envelope';
import {
  researchCancelled,
  researchCompleted,
  researchFailed,
  researchItemCompleted,
  researchStarted,
} from '@swissbrain/shared-schema/events/wide-research';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CreditsUnderTest, startCredits } from './service-fixture.ts';

let credits: CreditsUnderTest;
beforeAll(async () => {
  credits = await startCredits();
});
afterAll(() => credits?.stop());

const micro = (amount: number) => BigInt(amount) * 1_000_000n;
interface Hold {
  readonly state: string;
  readonly purpose: string;
  readonly held_micro: bigint;
  readonly consumed_micro: bigint;
  readonly late_micro: bigint;
}
const holdOf = async (id: string): Promise<Hold | undefined> =>
  (await credits.database.query<Hold>('SELECT * FROM credit_reservations WHERE run_id = $1', [id]))[0];
const holdIs = (id: string, expected: Partial<Hold>) =>
  waitFor(
    async () => {
      const hold = await holdOf(id);
      const names = Object.keys(expected) as (keyof Hold)[];
      return hold && names.every((name) => hold[name] === expected[name]) ? hold : null;
    },
    { describe: `the hold of ${id} to be ${Object.values(expected).join(', ')}` },
  );
/** Entries of usage of a hold. */
const chargesOf = (id: string) =>
  credits.database.query<{ operation: string; run_id: string; step_id: string; cost: bigint }>(
    `SELECT t.operation, t.run_id, t.step_id, t.cost_micro AS cost FROM credit_transactions t
     JOIN credit_reservations r ON r.id = t.reservation_id WHERE r.run_id = $1 AND t.kind = 'consume' ORDER BY t.id`,
    [id],
  );
async function newUser(): Promise<string> {
  const user = randomUUID();
  await credits.database.query('INSERT INTO auth.users (id) VALUES ($1)', [user]);
  return user;
}
const expectSound = async (user: string) =>
  expect(await credits.database.query('SELECT * FROM verify_credits($1)', [user])).toEqual([]);

/** What wide-research and agent-runner tell of one research of a user; of a run's where `run` is given. */
function tellsOf(user: string, run: string | null) {
  const research = randomUUID();
  const tell = (definition: EventDefinition, data: object, id?: string) =>
    credits.publish(definition, {
      ...{ user, run: research, data: { research_id: research, run_id: run, ...data } },
      ...(id ? { id } : {}),
    });
  const closing = (completed: number) => ({
    ...{ total_items: 3, completed_items: completed, failed_items: 3 - completed, cancelled_items: 0 },
    error: null,
  });
  return {
    research,
    started: (items: number | null, budget: bigint | null = null, id?: string) =>
      tell(
        researchStarted,
        {
          ...{ title: 'many', total_items: items, max_parallel: null },
          budget_micro: budget === null ? null : budget.toString(),
        },
        id,
      ),
    item: (item: string, itemRun: string | null, id?: string) =>
      tell(researchItemCompleted, { item_id: item, item_index: 0, item_run_id: itemRun }, id),
    ended: (definition: EventDefinition, completed: number) => tell(definition, closing(completed)),
  };
}

async function startRun(user: string, run: string, root = run): Promise<void> {
  const data = {
    ...{ run_id: run, root_run_id: root, parent_run_id: root === run ? null : root, tenant_id: null },
    ...{ mode: 'playbook', title: 'a test', budget_micro: null },
    estimate: [{ operation: 'web.search', quantity: '10' }],
  };
  await credits.publish(runRequested, { user, run: root, data });
}
const endRun = (user: string, run: string) =>
  credits.publish(runCompleted, {
    ...{ user, run },
    data: {
      ...{ run_id: run, root_run_id: run, billable_steps: 0, billable_step_ids: [] },
      ...{ attempt: 1, steps: 0, error: null },
    },
  });

test('the items of a run draw on its hold, which is raised for them, and take no slot', async () => {
  const [user, run, child, item] = [await newUser(), randomUUID(), randomUUID(), randomUUID()];
  await startRun(user, run);
  await holdIs(run, { state: 'active', held_micro: micro(10) });
  const { research, started, item: answered, ended } = tellsOf(user, run);
  const event = randomUUID();
  await started(3, null, event);
  await holdIs(run, { held_micro: micro(25) });
  await started(3, null, event);
  await startRun(user, child, run);
  const step = {
    ...{ run_id: child, root_run_id: run, step_id: randomUUID(), step_key: 's', step_index: 0 },
    ...{ tool: 'web', attempt: 1, duration_ms: 1, usage: [{ operation: 'web.search', quantity: '2' }] },
  };
  await credits.publish(stepCompleted, { user, run, data: step });
  await answered(item, child);
  await answered(item, child);
  await holdIs(run, { consumed_micro: micro(7) });
  const charges = await chargesOf(run);
  expect(charges.map(({ operation, cost }) => [operation, cost]).toSorted()).toEqual([
    ['web.search', micro(2)],
    ['wide_research.item', micro(5)],
  ]);
  expect(charges.every(({ run_id }) => run_id === child)).toBe(true);
  expect(await holdOf(child)).toBeUndefined();
  expect(await holdOf(research)).toBeUndefined();
  await ended(researchCompleted, 1);
  await endRun(user, run);
  await holdIs(run, { state: 'settled', held_micro: micro(25), consumed_micro: micro(7) });
  await expectSound(user);
});

test('the hold of a run is raised by at most the budget of the research, and not beyond what is there', async () => {
  const [user, run] = [await newUser(), randomUUID()];
  await startRun(user, run);
  await holdIs(run, { state: 'active' });
  await tellsOf(user, run).started(null, micro(3));
  await holdIs(run, { held_micro: micro(13) });
  const { started, item } = tellsOf(user, run);
  await started(1_000);
  await item(randomUUID(), null);
  await holdIs(run, { held_micro: micro(13), consumed_micro: micro(5) });
  await expectSound(user);
});

test('a research that a user has started holds for itself, beside runs, until its items are recorded', async () => {
  const [user, run] = [await newUser(), randomUUID()];
  const { research, started, item, ended } = tellsOf(user, null);
  const [first, second] = [randomUUID(), randomUUID()];
  // The last of it first: nothing is lost, all is tried again.
  await ended(researchCompleted, 2);
  await item(second, randomUUID());
  await started(3);
  await holdIs(research, { state: 'active', purpose: 'research', held_micro: micro(15) });
  await holdIs(research, { consumed_micro: micro(5) });
  // Free has one slot, and the research has not taken it.
  await startRun(user, run);
  await holdIs(run, { state: 'active', purpose: 'run' });
  await item(first, randomUUID());
  await holdIs(research, { state: 'settled', held_micro: micro(15), consumed_micro: micro(10) });
  expect((await chargesOf(research)).map(({ step_id }) => step_id).toSorted()).toEqual(
    [first, second].toSorted(),
  );
  await item(first, randomUUID());
  await expectSound(user);
});

test('an active research leaves the line of runs as it is, and the line does not hold it up', async () => {
  const [user, live, waiting] = [await newUser(), randomUUID(), randomUUID()];
  await startRun(user, live);
  await holdIs(live, { state: 'active' });
  await startRun(user, waiting);
  await holdIs(waiting, { state: 'waiting' });
  const { research, started, ended } = tellsOf(user, null);
  await started(2);
  await holdIs(research, { state: 'active' });
  expect((await holdOf(waiting))?.state).toBe('waiting');
  await ended(researchCancelled, 0);
  await holdIs(research, { state: 'settled', consumed_micro: 0n });
  expect((await holdOf(waiting))?.state).toBe('waiting');
  await endRun(user, live);
  await holdIs(waiting, { state: 'active' });
  await expectSound(user);
});

test('an item that is answered after the end is charged late', async () => {
  const user = await newUser();
  const { research, started, item, ended } = tellsOf(user, null);
  await started(2);
  await holdIs(research, { state: 'active' });
  await ended(researchFailed, 0);
  await holdIs(research, { state: 'settled' });
  await item(randomUUID(), null);
  await holdIs(research, { late_micro: micro(5) });
  await expectSound(user);
});

test('an item renews the hold of its research', async () => {
  const user = await newUser();
  const { research, started, item } = tellsOf(user, null);
  await started(2);
  await holdIs(research, { state: 'active' });
  await credits.database.query(
    `UPDATE credit_reservations SET expires_at = clock_timestamp() + interval '1 minute' WHERE run_id = $1`,
    [research],
  );
  await item(randomUUID(), null);
  await waitFor(
    async () =>
      (
        await credits.database.query(
          `SELECT FROM credit_reservations WHERE run_id = $1 AND expires_at > clock_timestamp() + interval '23 hours'`,
          [research],
        )
      ).length === 1,
    { describe: 'the hold to be renewed' },
  );
});
