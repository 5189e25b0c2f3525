import { randomUUID } from 'node:crypto';
import type { Database } from '@swissbrain/service-kit/database';
import { createTestDatabase, type TestDatabase } from '@swissbrain/testkit/database';
import { openServiceDatabase } from '@swissbrain/testkit/service-database';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  advanceRun,
  ClaimLost,
  claimRun,
  finishPlanning,
  handOver,
  nameSession,
  noteTry,
  raiseHold,
  raiseSession,
  renewLeases,
} from '../src/operations/claims.ts';
import { closeRun } from '../src/operations/close-run.ts';
import { dispatchRuns } from '../src/operations/dispatch-runs.ts';
import { storyOf } from './support/events.ts';

let clone: TestDatabase;
let database: Database;
beforeAll(async () => {
  clone = await createTestDatabase();
  database = openServiceDatabase('agent-runner', clone, { connections: 12 });
});
afterAll(async () => {
  await database?.close();
  await clone?.drop();
});
beforeEach(() => clone.query('delete from agent_runs'));

/** A queued run with steps that wait for nothing. */
async function queuedRun(stepCount = 1, userId = randomUUID()) {
  const id = randomUUID();
  await clone.query(
    `insert into agent_runs (id, user_id, root_run_id, kind, title, playbook, status, planning_done, queued_at, run_seq)
     values ($1, $2, $1, 'playbook', 'test', '{}', 'queued', true, clock_timestamp(), 0)`,
    [id, userId],
  );
  const steps = await clone.query<{ id: string }>(
    `insert into agent_steps (run_id, user_id, step_index, step_key, tool, name)
     select $1, $2, n, 's' || n, 'connector', 's' || n from generate_series(0, $3::int - 1) n returning id`,
    [id, userId, stepCount],
  );
  return { id, userId, steps: steps.map((row) => row.id) };
}
const offer = { owner: 'me', leaseMs: 60_000, wallMs: 60_000 };
const claim = (runId: string, attempt: number) => claimRun(database, { runId, attempt, ...offer });
const finish = (stepId: string) => ({
  stepId,
  status: 'completed' as const,
  output: null,
  usage: [{ operation: 'connector.call', quantity: '1' }],
  costMicro: 1n,
  durationMs: 1,
  error: null,
});
const completed = (run: { id: string }, stepId: string, index: number) => ({
  type: 'step.completed',
  data: {
    run_id: run.id,
    root_run_id: run.id,
    step_id: stepId,
    step_key: `s${index}`,
    step_index: index,
    tool: 'connector',
    attempt: 1,
    usage: [],
    duration_ms: 1,
  },
});
const whole = async (runId: string) =>
  JSON.stringify(
    await clone.query(
      `select to_jsonb(r) - 'lease_until' as run, (select jsonb_agg(to_jsonb(s) order by step_index) from agent_steps s where run_id = r.id) as steps,
       (select count(*)::int from event_outbox where run_id = r.id) as events from agent_runs r where id = $1`,
      [runId],
    ),
  );

describe('a claim', () => {
  it('is had by one of many at once, and raises the attempt', async () => {
    const run = await queuedRun();
    const claims = await Promise.all(Array.from({ length: 10 }, () => claim(run.id, 0)));
    const had = claims.filter((one) => one !== undefined);
    expect(had).toHaveLength(1);
    expect(had[0]?.run).toMatchObject({ attempt: 1, status: 'running' });
    expect(await claim(run.id, 1)).toBeUndefined();
    expect(await storyOf(clone, run.id)).toEqual(['run.started']);
  });

  it('that is gone writes nothing, by any way of writing', async () => {
    const run = await queuedRun(2);
    await claim(run.id, 0);
    const old = { runId: run.id, attempt: 1 };
    const [first = ''] = run.steps;
    await advanceRun(database, { ...old, start: [first], events: [] });
    await handOver(database, old);
    expect((await claim(run.id, 1))?.run.attempt).toBe(2);
    const before = await whole(run.id);
    const writes = [
      () =>
        advanceRun(database, {
          ...old,
          finish: finish(first),
          start: run.steps.slice(1),
          events: [completed(run, first, 0)],
        }),
      () => advanceRun(database, { ...old, finish: finish(first), stopRest: true, events: [] }),
      () => raiseHold(database, old, 5n),
      () => raiseSession(database, old, { sessionNo: 1, code: 'ended', message: 'x' }),
      () => nameSession(database, old, { sessionNo: 1, name: 'sb-warm-x' }),
      () => noteTry(database, old, first, { code: 'x', message: 'x', usage: [] }),
      () => finishPlanning(database, old, 'x'),
    ];
    for (const write of writes) await expect(write()).rejects.toThrow(ClaimLost);
    await handOver(database, old);
    expect(await closeRun(database, { ...old, status: 'failed', error: null })).toBe(false);
    expect((await renewLeases(database, 'me', 60_000, [old])).size).toBe(0);
    expect(await whole(run.id)).toBe(before);
  });

  it('names the session of its number, and a raised number has no name', async () => {
    const run = await queuedRun();
    await claim(run.id, 0);
    const mine = { runId: run.id, attempt: 1 };
    const named = async () =>
      (
        await clone.query<{ session_name: string | null }>(
          'select session_name from agent_runs where id = $1',
          [run.id],
        )
      )[0]?.session_name;
    await nameSession(database, mine, { sessionNo: 1, name: 'sb-warm-1' });
    expect(await named()).toBe('sb-warm-1');
    await raiseSession(database, mine, { sessionNo: 1, code: 'ended', message: 'x' });
    expect(await named()).toBeNull();
    await expect(nameSession(database, mine, { sessionNo: 1, name: 'sb-warm-1' })).rejects.toThrow(ClaimLost);
    await nameSession(database, mine, { sessionNo: 2, name: 'sb-warm-2' });
    await nameSession(database, mine, { sessionNo: 2, name: null });
    expect(await named()).toBeNull();
  });

  it('writes nothing once a cancel is on its way or the run has ended', async () => {
    const run = await queuedRun();
    await claim(run.id, 0);
    const mine = { runId: run.id, attempt: 1 };
    await clone.query('update agent_runs set cancel_requested_at = now() where id = $1', [run.id]);
    await expect(advanceRun(database, { ...mine, start: run.steps, events: [] })).rejects.toThrow(ClaimLost);
    expect((await renewLeases(database, 'me', 60_000, [mine])).get(run.id)).toEqual({
      cancelRequested: true,
      pauseRequested: false,
    });
    expect(await closeRun(database, { ...mine, status: 'cancelled', error: null })).toBe(true);
    expect(await closeRun(database, { ...mine, status: 'failed', error: null })).toBe(false);
    expect(await storyOf(clone, run.id)).toEqual(['run.started', 'run.cancelled']);
  });
});

describe('steps that end at once', () => {
  it('close the run exactly once, numbered without gaps', async () => {
    const run = await queuedRun(30);
    await claim(run.id, 0);
    const mine = { runId: run.id, attempt: 1 };
    await advanceRun(database, { ...mine, start: run.steps, events: [] });
    await Promise.all(
      run.steps.map((stepId, index) =>
        advanceRun(database, { ...mine, finish: finish(stepId), events: [completed(run, stepId, index)] }),
      ),
    );
    const story = await storyOf(clone, run.id);
    expect(story.filter((type) => type === 'step.completed')).toHaveLength(30);
    expect(story.filter((type) => type.startsWith('run.'))).toEqual(['run.started', 'run.completed']);
    expect(story.at(-1)).toBe('run.completed');
    const [row] = await clone.query<{ status: string; billable_steps: number; consumed_micro: bigint }>(
      'select * from agent_runs where id = $1',
      [run.id],
    );
    expect(row).toMatchObject({ status: 'completed', billable_steps: 30, consumed_micro: 30n });
  });
});

describe('the dispatcher', () => {
  const dispatch = (owner: string, slots: number) =>
    dispatchRuns(database, { owner, slots, ticketMs: 60_000 });

  it('gives a user with one run the second place beside a user with many', async () => {
    const many = randomUUID();
    const theirs = [];
    for (let n = 0; n < 20; n += 1) theirs.push((await queuedRun(1, many)).id);
    const lone = await queuedRun();
    const offers = (await dispatch('a', 3)).map((made) => made.runId);
    expect(offers).toHaveLength(3);
    expect(offers).toContain(lone.id);
    expect(offers).toEqual(expect.arrayContaining(theirs.slice(0, 2)));
  });

  it('offers no run twice and no more than its places, also side by side', async () => {
    for (let n = 0; n < 12; n += 1) await queuedRun();
    const offers = (await Promise.all([dispatch('a', 4), dispatch('b', 4)])).flat();
    // Side by side they may meet at the same rows and take fewer; the next look makes up for it.
    offers.push(...(await dispatch('a', 4)), ...(await dispatch('b', 4)));
    expect(offers).toHaveLength(8);
    expect(new Set(offers.map((made) => made.runId)).size).toBe(8);
    expect(await dispatch('a', 4)).toEqual([]);
  });

  it('offers a run again whose worker fell silent', async () => {
    const run = await queuedRun();
    await claim(run.id, 0);
    expect(await dispatch('a', 5)).toEqual([]);
    await clone.query("update agent_runs set lease_until = now() - interval '1 second' where id = $1", [
      run.id,
    ]);
    expect(await dispatch('a', 5)).toEqual([{ runId: run.id, attempt: 1 }]);
    expect((await claim(run.id, 1))?.run.attempt).toBe(2);
  });
});
