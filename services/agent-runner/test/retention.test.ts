import { randomUUID } from 'node:crypto';
import { systemClock } from '@swissbrain/service-kit/clock';
import type { Database } from '@swissbrain/service-kit/database';
import { openServiceDatabase } from '@swissbrain/testkit/service-database';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expireRuns } from '../src/operations/expire-runs.ts';
import { sweepObjects } from '../src/operations/sweep-objects.ts';
import { createLocalStore } from '../src/storage/local-store.ts';
import { newUser, playbookOf, type Runner, startRunner, type User } from './support/runner.ts';

let runner: Runner;
let database: Database;
let user: User;
beforeAll(async () => {
  runner = await startRunner();
  database = openServiceDatabase('agent-runner', runner.database);
  user = await newUser(runner.url);
});
afterAll(async () => {
  await database?.close();
  await runner?.stop();
});
const { signal } = new AbortController();

async function finishedRun(daysAgo: number, content: string = randomUUID()) {
  const write = { action: 'write', path: 'a.txt', content };
  const { id } = await user.create(
    playbookOf([{ id: 'a', tool: 'file', with: write, artifacts: ['a.txt'] }]),
  );
  expect((await user.ended(id)).status).toBe('completed');
  await runner.database.query(
    `UPDATE agent_runs SET finished_at = now() - $2 * interval '1 day' WHERE id = $1`,
    [id, daysAgo],
  );
  await published(id);
  return id;
}
const published = (id: string) =>
  waitFor(async () => {
    const rows = await runner.database.query(
      'SELECT 1 FROM event_outbox WHERE run_id = $1 AND published_at IS NULL',
      [id],
    );
    return rows.length === 0 || undefined;
  });
const left = async (id: string) => {
  const tables = ['agent_steps', 'agent_artifacts', 'event_outbox'];
  const counts = await Promise.all(
    tables.map((table) => runner.database.query(`SELECT 1 FROM ${table} WHERE run_id = $1 LIMIT 1`, [id])),
  );
  const runs = await runner.database.query('SELECT 1 FROM agent_runs WHERE id = $1', [id]);
  return [runs, ...counts].map((rows) => rows.length);
};
const limits = (id: string, days: number | null) =>
  runner.database.query(
    `UPDATE agent_runs SET reservation = jsonb_set(reservation, '{limits,retention_days}', $2::jsonb) WHERE id = $1`,
    [id, JSON.stringify(days)],
  );

describe('retention', () => {
  it('deletes runs past the days of their tier with all of theirs, and no other', async () => {
    // The tier of this test keeps seven days.
    const [over, young, forGood, longer] = [
      await finishedRun(8),
      await finishedRun(6),
      await finishedRun(4_000),
      await finishedRun(8),
    ];
    await limits(forGood, null);
    await limits(longer, 9);
    const unpublished = await finishedRun(8);
    await runner.database.query(
      `UPDATE event_outbox SET published_at = NULL WHERE run_id = $1 AND type = 'run.completed' AND source = 'agent-runner'`,
      [unpublished],
    );
    const stalled = await left(unpublished);
    expect(await expireRuns(database, signal)).toBeGreaterThanOrEqual(1);
    expect(await left(over)).toEqual([0, 0, 0, 0]);
    for (const id of [young, forGood, longer]) expect(await left(id), id).toEqual([1, 1, 1, 1]);
    expect(stalled).toEqual([1, 1, 1, 1]);
    await published(unpublished);
    await expireRuns(database, signal);
    expect(await left(unpublished)).toEqual([0, 0, 0, 0]);
    expect(await expireRuns(database, signal)).toBe(0);
    expect((await user.run(young)).status).toBe('completed');
  });

  it('deletes a run that never got a hold after thirty days, children before their parents', async () => {
    const ids = { root: randomUUID(), child: randomUUID(), young: randomUUID() };
    const insert = (id: string, root: string, parent: string | null, days: number) =>
      runner.database.query(
        `INSERT INTO agent_runs (id, user_id, root_run_id, parent_run_id, kind, title, goal, status, finished_at)
         VALUES ($1, $2, $3, $4, 'goal', 't', 'g', 'failed', now() - $5 * interval '1 day')`,
        [id, user.id, root, parent, days],
      );
    await insert(ids.root, ids.root, null, 31);
    await insert(ids.child, ids.root, ids.root, 31);
    await insert(ids.young, ids.young, null, 29);
    expect(await expireRuns(database, signal)).toBe(2);
    expect((await left(ids.root))[0]).toBe(0);
    expect((await left(ids.young))[0]).toBe(1);
  });

  it('stops when it is told to', async () => {
    const over = await finishedRun(8);
    expect(await expireRuns(database, AbortSignal.abort())).toBe(0);
    expect((await left(over))[0]).toBe(1);
  });
});

describe('the sweep of objects', () => {
  const directory = () => `${runner.directory}/artifacts`;
  const inDays = (days: number) => ({
    ...systemClock,
    now: () => new Date(systemClock.now().getTime() + days * 86_400_000),
  });
  const sweep = (days: number) => {
    const clock = inDays(days);
    const objects = createLocalStore(directory(), clock);
    return sweepObjects({ database, objects, clock, graceDays: 3, signal });
  };

  it('deletes what no row refers to once the grace is over, and nothing else', async () => {
    const objects = createLocalStore(directory(), systemClock);
    const orphan = await objects.put(user.id, Buffer.from('nobody wants this'));
    const [keep, drop] = [await finishedRun(0), await finishedRun(8)];
    const keyOf = async (id: string) => {
      const rows = await runner.database.query<{ storage_key: string }>(
        'SELECT storage_key FROM agent_artifacts WHERE run_id = $1',
        [id],
      );
      return rows[0]?.storage_key ?? '';
    };
    const [kept, dropped] = [await keyOf(keep), await keyOf(drop)];
    await expireRuns(database, signal);
    expect(await objects.head(dropped)).not.toBeNull();
    expect(await sweep(0)).toBe(0);
    expect(await sweep(2.9)).toBe(0);
    expect(await objects.head(orphan.key)).not.toBeNull();
    expect(await sweep(5)).toBeGreaterThanOrEqual(2);
    expect(await objects.head(orphan.key)).toBeNull();
    expect(await objects.head(dropped)).toBeNull();
    expect(await objects.head(kept)).not.toBeNull();
    expect(await sweep(5)).toBe(0);
  });

  it('leaves alone what is stored while it runs, also of content that it deletes', async () => {
    const content = Buffer.from('stored twice, days apart');
    const old = await createLocalStore(directory(), systemClock).put(user.id, content);
    const now = createLocalStore(directory(), inDays(5));
    // Drafts are as young as the machine says, whatever our clock does: they are not this sweep's to judge.
    const objects = { ...createLocalStore(directory(), inDays(5)), removeDrafts: async () => 0 };
    const sweeping = sweepObjects({ database, objects, clock: inDays(5), graceDays: 3, signal });
    const [young] = await Promise.all([now.put(user.id, content), sweeping, now.put(user.id, content)]);
    expect(young.key).not.toBe(old.key);
    expect(await now.head(old.key)).toBeNull();
    expect(await now.head(young.key)).toEqual({ size: content.length });
  });
});
