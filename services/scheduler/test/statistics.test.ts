import { randomUUID } from 'node:crypto';
import type { Database } from '@swissbrain/service-kit/database';
import { eventKey, eventRegistry } from '@swissbrain/shared-schema/events/registry';
import { createTestDatabase, type TestDatabase } from '@swissbrain/testkit/database';
import { openServiceDatabase } from '@swissbrain/testkit/service-database';
import { type RawBuilder, sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

let clone: TestDatabase;
let database: Database;
let user: string;
beforeAll(async () => {
  clone = await createTestDatabase();
  database = openServiceDatabase('scheduler', clone, { connections: 20 });
  user = randomUUID();
  await clone.query('INSERT INTO auth.users (id) VALUES ($1)', [user]);
});
afterAll(async () => {
  await database?.close();
  await clone?.drop();
});

const run = <R = unknown>(statement: RawBuilder<R>) => database.serviceStatement(statement);
const slot = (index: number) => `2026-01-01T00:${String(index).padStart(2, '0')}:00Z`;

describe('the statistics of a schedule', () => {
  test('count each firing by its outcome, once', async () => {
    const task = await newTask();
    for (const index of [0, 1, 2, 3]) await fire(task, index);
    await finish(task, 0, 'succeeded');
    await finish(task, 1, 'failed');
    await finish(task, 2, 'cancelled');
    await run(sql`
      INSERT INTO scheduled_task_runs (task_id, user_id, scheduled_for, status, reason, target_kind, finished_at)
      VALUES (${task}, ${user}, ${slot(4)}, 'skipped', 'overlap', 'run', now())`);
    expect(await read(task)).toMatchObject({
      run_count: 4n,
      succeeded_count: 1n,
      failed_count: 1n,
      skipped_count: 1n,
      consecutive_failures: 1,
      last_status: 'skipped',
    });
    expect((await read(task)).last_scheduled_for?.toISOString()).toBe('2026-01-01T00:04:00.000Z');
  });

  test('count a queued firing when it fires', async () => {
    const task = await newTask();
    await run(sql`
      INSERT INTO scheduled_task_runs (task_id, user_id, scheduled_for, status, target_kind)
      VALUES (${task}, ${user}, ${slot(0)}, 'queued', 'run')`);
    expect(await read(task)).toMatchObject({ run_count: 0n, last_status: 'queued' });
    await run(sql`UPDATE scheduled_task_runs SET status = 'fired', target_id = gen_random_uuid(), fired_at = now()
      WHERE task_id = ${task}`);
    expect(await read(task)).toMatchObject({ run_count: 1n, last_status: 'fired' });
  });

  test('do not let a late result of an old slot hide the newest', async () => {
    const task = await newTask();
    await fire(task, 0);
    await fire(task, 5);
    await finish(task, 5, 'succeeded');
    await finish(task, 0, 'cancelled');
    expect(await read(task)).toMatchObject({ last_status: 'succeeded' });
  });

  test('lose nothing when many firings end at once', async () => {
    const task = await newTask();
    await Promise.all(Array.from({ length: 20 }, (_, index) => fire(task, index)));
    await Promise.all(Array.from({ length: 20 }, (_, index) => finish(task, index, 'succeeded')));
    expect(await read(task)).toMatchObject({ run_count: 20n, succeeded_count: 20n });
  });
});

describe('a firing', () => {
  test('happens once per slot', async () => {
    const task = await newTask();
    await fire(task, 0);
    await expect(fire(task, 0)).rejects.toMatchObject({ code: '23505' });
    expect(await read(task)).toMatchObject({ run_count: 1n });
  });

  test('ends once', async () => {
    const task = await newTask();
    await fire(task, 0);
    await finish(task, 0, 'succeeded');
    await expect(finish(task, 0, 'failed')).rejects.toMatchObject({ code: '23514' });
  });
});

describe('a schedule that keeps failing', () => {
  test('pauses itself at the limit, with one event', async () => {
    const task = await newTask({ maxFailures: 3 });
    for (const index of [0, 1, 2, 3]) await fire(task, index);
    for (const index of [0, 1]) await finish(task, index, 'failed');
    expect((await read(task)).status).toBe('active');
    for (const index of [2, 3]) await finish(task, index, 'failed');
    expect(await read(task)).toMatchObject({
      status: 'paused',
      status_reason: 'consecutive_failures',
      status_by: 'system',
      consecutive_failures: 4,
      revision: 2n,
    });
    const events = await eventsOf(task);
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({
      type: 'schedule.paused',
      data: {
        schedule_id: task,
        reason: 'consecutive_failures',
        paused_by: 'system',
        consecutive_failures: 3,
      },
    });
  });

  test('starts to count anew after a success', async () => {
    const task = await newTask({ maxFailures: 2 });
    for (const index of [0, 1, 2]) await fire(task, index);
    await finish(task, 0, 'failed');
    await finish(task, 1, 'succeeded');
    await finish(task, 2, 'failed');
    expect(await read(task)).toMatchObject({ status: 'active', consecutive_failures: 1 });
    expect(await eventsOf(task)).toEqual([]);
  });

  test('goes on when it has no limit', async () => {
    const task = await newTask({ maxFailures: null });
    for (let index = 0; index < 8; index += 1) {
      await fire(task, index);
      await finish(task, index, 'failed');
    }
    expect(await read(task)).toMatchObject({ status: 'active', consecutive_failures: 8 });
  });
});

interface Task {
  readonly status: string;
  readonly run_count: bigint;
  readonly last_scheduled_for: Date | null;
}

async function newTask({ maxFailures = 5 }: { maxFailures?: number | null } = {}): Promise<string> {
  const id = randomUUID();
  await run(sql`
    INSERT INTO scheduled_tasks
      (id, user_id, name, kind, interval_seconds, anchor_at, target_kind, target, max_consecutive_failures)
    VALUES (${id}, ${user}, 'task', 'interval', 60, now(), 'run', '{}', ${maxFailures})`);
  return id;
}

async function fire(task: string, index: number): Promise<void> {
  await run(sql`
    INSERT INTO scheduled_task_runs (task_id, user_id, scheduled_for, status, target_kind, target_id, fired_at)
    VALUES (${task}, ${user}, ${slot(index)}, 'fired', 'run', gen_random_uuid(), now())`);
}

async function finish(
  task: string,
  index: number,
  status: 'succeeded' | 'failed' | 'cancelled',
): Promise<void> {
  await run(sql`UPDATE scheduled_task_runs SET status = ${status}, finished_at = now()
    WHERE task_id = ${task} AND scheduled_for = ${slot(index)}`);
}

async function read(id: string): Promise<Task> {
  const [task] = await run(sql<Task>`SELECT * FROM scheduled_tasks WHERE id = ${id}`);
  if (!task) throw new Error(`no task ${id}`);
  return task;
}

/** The events of a schedule, each proven to have the shape that is published. */
async function eventsOf(task: string): Promise<{ type: string; data: unknown }[]> {
  const rows = await run(sql<{ type: string; version: number; data: unknown }>`
    SELECT type, version, data FROM event_outbox WHERE aggregate_id = ${task} ORDER BY aggregate_seq`);
  for (const { type, version, data } of rows) {
    expect(eventRegistry.get(eventKey(type, version))?.data.parse(data)).toEqual(data);
  }
  return rows;
}
