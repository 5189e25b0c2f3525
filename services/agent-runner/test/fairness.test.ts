import { randomUUID } from 'node:crypto';
import type { Database } from '@swissbrain/service-kit/database';
import { createTestDatabase, type TestDatabase } from '@swissbrain/testkit/database';
import { openServiceDatabase } from '@swissbrain/testkit/service-database';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { tierWeight } from '../src/domain/tier-weight.ts';
import { claimRun } from '../src/operations/claims.ts';
import { closeRun } from '../src/operations/close-run.ts';
import { dispatchRuns, type Offer } from '../src/operations/dispatch-runs.ts';

let clone: TestDatabase;
let database: Database;
beforeAll(async () => {
  clone = await createTestDatabase();
  database = openServiceDatabase('agent-runner', clone, { connections: 8 });
});
afterAll(async () => {
  await database?.close();
  await clone?.drop();
});
const clear = () => clone.query('truncate agent_runs, event_outbox cascade');
beforeEach(clear);

/** Puts so many runs of a user into the waiting line, behind all that are in it. */
async function queue(
  userId: string,
  runs: number,
  { tier = 'free', root = null as string | null, maxParallel = 5 } = {},
): Promise<void> {
  await clone.query(
    `with made as (select gen_random_uuid() as id, n from generate_series(1, $2::int) n)
     insert into agent_runs (id, user_id, root_run_id, parent_run_id, kind, title, playbook, status, planning_done, queued_at, weight, max_parallel)
     select id, $1, coalesce($4::uuid, id), $4, 'playbook', 'test', '{}', 'queued', true, clock_timestamp() + n * interval '1 microsecond', $3, $5
     from made`,
    [userId, runs, tierWeight(tier), root, maxParallel],
  );
}
const offer = (owner: string, slots: number) => dispatchRuns(database, { owner, slots, ticketMs: 600_000 });
const start = (offers: readonly Offer[], owner = 'worker') =>
  Promise.all(offers.map((one) => claimRun(database, { ...one, owner, leaseMs: 600_000, wallMs: 600_000 })));
const end = (runId: string) =>
  closeRun(database, { runId, status: 'failed', error: { code: 'x', message: 'x' } });
const busy = () =>
  clone.query<{ id: string; user_id: string }>(
    "select id, user_id from agent_runs where status = 'running' or lease_owner is not null and status = 'queued'",
  );
/** How many runs each has under way or offered. */
async function shares(users: readonly string[]): Promise<number[]> {
  const rows = await busy();
  return users.map((user) => rows.filter(({ user_id: id }) => id === user).length);
}
/** Users in the order in which their runs were started, from the events. */
const starts = async () =>
  (
    await clone.query<{ user_id: string }>(
      "select user_id from event_outbox where type = 'run.started' order by created_at, id",
    )
  ).map((row) => row.user_id);

describe("one user's thousand waiting runs", () => {
  it.each([
    ['one dispatcher', ['a']],
    ['two dispatchers', ['a', 'b']],
  ])('let the one run of another start in the next free place, by %s', async (_, owners) => {
    const [many, one] = [randomUUID(), randomUUID()];
    // Of the heaviest tier, in fewer places than it weighs: weight divides what is there, it shuts nobody out.
    await queue(many, 1_000, { tier: 'enterprise' });
    for (const owner of owners) await start(await offer(owner, 3));
    await queue(one, 1);
    const running = await busy();
    expect(running).toHaveLength(3 * owners.length);
    // Nothing is free, so nobody starts; then one place is.
    await end(running[0]?.id ?? '');
    const [next, ...more] = await offer(owners.at(-1) ?? '', 1);
    expect(more).toEqual([]);
    if (next) await start([next]);
    expect((await starts()).at(-1)).toBe(one);
  });

  it('do not come before those of others again and again: who has most under way comes last', async () => {
    const [many, ...few] = Array.from({ length: 21 }, () => randomUUID());
    await queue(many ?? '', 1_000);
    for (const user of few) await queue(user, 2);
    // By two replicas in turn, whose offers are not taken at once.
    for (let round = 0; round < 6; round += 1) {
      await start([...(await offer('a', 2)), ...(await offer('b', 2))]);
    }
    // 24 starts for 21 users: everyone has one, and nobody a third before all have their second.
    const order = await starts();
    expect(order).toHaveLength(24);
    expect(new Set(order).size).toBe(21);
    expect(new Set(order.slice(0, 20)).size).toBe(20);
    expect(order.filter((user) => user === many).length).toBeLessThanOrEqual(2);
  });

  it('count as under way from their offer on, by whichever replica', async () => {
    const [many, other] = [randomUUID(), randomUUID()];
    await queue(many, 1_000);
    expect(await offer('a', 3)).toHaveLength(3);
    await queue(other, 1_000);
    // Nobody has taken the three yet. The next three go to the other, from the other replica.
    expect(await offer('b', 3)).toHaveLength(3);
    expect(await shares([many, other])).toEqual([3, 3]);
  });
});

describe('the weight of tiers', () => {
  const tiers = ['free', 'pro', 'team', 'enterprise'] as const;

  it('divides the places by 1, 2, 4 and 8, and keeps to it whoever ends', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(14), fc.boolean()), { minLength: 20, maxLength: 30 }),
        async (ends) => {
          await clear();
          const users: string[] = tiers.map(() => randomUUID());
          for (const [place, tier] of tiers.entries()) await queue(users[place] ?? '', 1_000, { tier });
          await start([...(await offer('a', 7)), ...(await offer('b', 8))]);
          expect(await shares(users)).toEqual([1, 2, 4, 8]);
          for (const [which, byOther] of ends) {
            const running = (await busy()).sort(
              (x, y) => users.indexOf(x.user_id) - users.indexOf(y.user_id),
            );
            await end(running[which]?.id ?? '');
            await start(await offer(byOther ? 'b' : 'a', 1));
            expect(await shares(users)).toEqual([1, 2, 4, 8]);
          }
        },
      ),
      { numRuns: 3 },
    );
  });

  it('leaves none waiting for ever: all of everybody start', async () => {
    const users: string[] = tiers.map(() => randomUUID());
    for (const [place, tier] of tiers.entries()) await queue(users[place] ?? '', 40, { tier });
    for (let left = 160; left > 0; ) {
      const offers = [...(await offer('a', 5)), ...(await offer('b', 5))];
      await start(offers);
      for (const { runId } of offers) await end(runId);
      expect(offers.length).toBeGreaterThan(0);
      left -= offers.length;
    }
    const order = await starts();
    for (const user of users) expect(order.filter((id) => id === user)).toHaveLength(40);
    // The lightest has its first start before the heaviest has its ninth.
    const [free, , , enterprise] = users;
    const ninth = order.flatMap((id, at) => (id === enterprise ? [at] : []))[8] ?? 0;
    expect(order.indexOf(free ?? '')).toBeLessThan(ninth);
  });
});

describe('runs below one root', () => {
  it('are no more than the tier allows beside each other, by two replicas and before any is taken', async () => {
    const user = randomUUID();
    await queue(user, 1);
    const [root] = await offer('a', 1);
    if (!root) throw new Error('nothing was offered');
    await start([root]);
    await queue(user, 50, { root: root.runId, maxParallel: 3 });
    const offers = [...(await offer('a', 2)), ...(await offer('b', 10)), ...(await offer('a', 10))];
    expect(offers).toHaveLength(3);
    await start(offers);
    expect(await offer('b', 10)).toEqual([]);
    await end(offers[0]?.runId ?? '');
    expect(await offer('b', 10)).toHaveLength(1);
  });
});
