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
  database = openServiceDatabase('wide-research', clone, { connections: 50 });
  user = randomUUID();
  await clone.query('INSERT INTO auth.users (id) VALUES ($1)', [user]);
});
afterAll(async () => {
  await database?.close();
  await clone?.drop();
});

const run = <R = unknown>(statement: RawBuilder<R>) => database.serviceStatement(statement);

interface Job {
  readonly status: string;
  readonly total_items: number;
  readonly open_items: number;
  readonly completed_items: number;
  readonly failed_items: number;
  readonly cancelled_items: number;
  readonly error_code: string | null;
  readonly started_at: Date | null;
  readonly finished_at: Date | null;
  readonly lease_owner: string | null;
  readonly event_seq: bigint;
  readonly title: string;
}

describe('the completion of a research', () => {
  test('happens once, with one event, when 50 finish their items at the same moment', async () => {
    const job = await newJob({ items: 50, fanOutDone: true });
    const finishers = Array.from({ length: 50 }, (_, index) =>
      finish(job, index, index === 7 ? 'failed' : 'completed'),
    );
    await Promise.all(finishers);

    expect(await readJob(job)).toMatchObject({
      status: 'completed',
      total_items: 50,
      open_items: 0,
      completed_items: 49,
      failed_items: 1,
      finished_at: expect.any(Date),
    });
    const events = await eventsOf(job);
    expect(events.map(({ type }) => type)).toEqual(['research.completed']);
    expect(events[0]?.data).toMatchObject({
      research_id: job,
      completed_items: 49,
      failed_items: 1,
      error: null,
    });
  });

  test('waits for fan-out, and happens with it when every item is already closed', async () => {
    const job = await newJob({ items: 2, fanOutDone: false });
    await finish(job, 0, 'completed');
    await finish(job, 1, 'completed');
    expect((await readJob(job)).status).toBe('running');
    await run(sql`UPDATE wide_research_jobs SET fan_out_done = true WHERE id = ${job}`);
    expect((await readJob(job)).status).toBe('completed');
    expect(await eventsOf(job)).toHaveLength(1);
  });

  test.each<
    [
      string,
      { items: number; failed: number; maxFailed?: number; error?: string },
      string,
      { code: string; message: string } | null,
    ]
  >([
    ['some items fail', { items: 4, failed: 3 }, 'completed', null],
    [
      'all items fail',
      { items: 3, failed: 3 },
      'failed',
      { code: 'no_item_succeeded', message: 'none of 3 items succeeded' },
    ],
    ['as many fail as may', { items: 4, failed: 1, maxFailed: 1 }, 'completed', null],
    [
      'more fail than may',
      { items: 4, failed: 2, maxFailed: 1 },
      'failed',
      { code: 'too_many_failed_items', message: '2 items failed, 1 were allowed' },
    ],
    [
      'there is no item',
      { items: 0, failed: 0 },
      'failed',
      { code: 'no_items', message: 'there was no item to research' },
    ],
    [
      'fan-out failed',
      { items: 0, failed: 0, error: 'items_unreadable' },
      'failed',
      { code: 'items_unreadable', message: 'items_unreadable' },
    ],
  ])('when %s', async (_name, { items, failed, maxFailed, error }, status, problem) => {
    const job = await newJob({ items, fanOutDone: false, maxFailed });
    for (let index = 0; index < items; index += 1) {
      await finish(job, index, index < failed ? 'failed' : 'completed');
    }
    await run(sql`
      UPDATE wide_research_jobs SET fan_out_done = true, error_code = ${error ?? null} WHERE id = ${job}`);
    expect(await readJob(job)).toMatchObject({ status, error_code: problem?.code ?? null });
    const [event, ...more] = await eventsOf(job);
    expect(more).toEqual([]);
    expect(event?.type).toBe(`research.${status}`);
    expect(event?.data).toMatchObject({ error: problem });
  });

  test('ends the claim of its worker, and says when it began where nobody had begun it', async () => {
    const job = await newJob({ items: 1, fanOutDone: true });
    await run(sql`UPDATE wide_research_jobs
      SET started_at = NULL, lease_owner = 'worker', lease_until = now() + interval '1 minute' WHERE id = ${job}`);
    await finish(job, 0, 'completed');
    expect(await readJob(job)).toMatchObject({
      ...{ status: 'completed', started_at: expect.any(Date) },
      ...{ lease_owner: null, lease_until: null, event_seq: 1n },
    });
    expect(await eventsOf(job)).toMatchObject([{ aggregate_seq: 1n }]);
  });

  test('leaves a beginning that was noted', async () => {
    const job = await newJob({ items: 1, fanOutDone: true });
    const began = new Date('2026-01-01T00:00:00Z');
    await run(sql`UPDATE wide_research_jobs SET started_at = ${began} WHERE id = ${job}`);
    await finish(job, 0, 'completed');
    expect(await readJob(job)).toMatchObject({ status: 'completed', started_at: began });
  });

  test('leaves what is cancelled in the same statement cancelled', async () => {
    const job = await newJob({ items: 0, fanOutDone: false });
    await run(sql`UPDATE wide_research_jobs
      SET status = 'cancelled', finished_at = now(), fan_out_done = true WHERE id = ${job}`);
    expect(await readJob(job)).toMatchObject({ status: 'cancelled' });
    expect(await eventsOf(job)).toEqual([]);
  });

  test('lets a closed research be renamed', async () => {
    const job = await newJob({ items: 1, fanOutDone: true });
    await finish(job, 0, 'completed');
    await run(sql`UPDATE wide_research_jobs SET title = 'another' WHERE id = ${job}`);
    expect(await readJob(job)).toMatchObject({ title: 'another', status: 'completed' });
    expect(await eventsOf(job)).toHaveLength(1);
  });

  test('does not happen after a cancel was requested, which cannot be taken back', async () => {
    const job = await newJob({ items: 1, fanOutDone: true });
    await run(sql`UPDATE wide_research_jobs SET cancel_requested_at = now() WHERE id = ${job}`);
    const takeBack = sql`UPDATE wide_research_jobs SET cancel_requested_at = NULL WHERE id = ${job}`;
    await expect(run(takeBack)).rejects.toMatchObject({ code: '23514' });
    await finish(job, 0, 'completed');
    expect((await readJob(job)).status).toBe('running');
    await run(sql`UPDATE wide_research_jobs SET status = 'cancelled', finished_at = now() WHERE id = ${job}`);
    expect(await eventsOf(job)).toEqual([]);
  });

  test('cannot be written by anyone, and is final', async () => {
    const job = await newJob({ items: 1, fanOutDone: true });
    for (const status of ['completed', 'failed']) {
      const close = sql`UPDATE wide_research_jobs SET status = ${status}, finished_at = now() WHERE id = ${job}`;
      await expect(run(close)).rejects.toMatchObject({
        ...{ code: '23514', message: `research ${job} closes when its last item does, not by a status` },
      });
    }
    await finish(job, 0, 'completed');
    for (const change of [
      sql`UPDATE wide_research_jobs SET status = 'running', finished_at = NULL WHERE id = ${job}`,
      sql`UPDATE wide_research_jobs SET status = 'failed' WHERE id = ${job}`,
      sql`UPDATE wide_research_subtasks SET status = 'pending', finished_at = NULL WHERE job_id = ${job}`,
      newItem(job, 1),
    ]) {
      await expect(run(change)).rejects.toMatchObject({ code: '23514' });
    }
    expect(await eventsOf(job)).toHaveLength(1);
  });
});

describe('the progress of a research', () => {
  test('follows its items in, between states and out', async () => {
    const job = await newJob({ items: 3, fanOutDone: false });
    expect(await readJob(job)).toMatchObject({ total_items: 3, open_items: 3 });
    await run(sql`UPDATE wide_research_subtasks
      SET status = 'requested', run_id = gen_random_uuid(), requested_at = now() WHERE job_id = ${job}`);
    expect(await readJob(job)).toMatchObject({ total_items: 3, open_items: 3 });
    await finish(job, 0, 'completed');
    await finish(job, 1, 'cancelled');
    expect(await readJob(job)).toMatchObject({ open_items: 1, completed_items: 1, cancelled_items: 1 });
    await run(sql`DELETE FROM wide_research_subtasks WHERE job_id = ${job} AND item_index = 2`);
    expect(await readJob(job)).toMatchObject({ total_items: 2, open_items: 0 });
  });

  test('counts an item that is asked for twice once', async () => {
    const job = await newJob({ items: 1, fanOutDone: false });
    await expect(run(newItem(job, 0))).rejects.toMatchObject({ code: '23505' });
    expect(await readJob(job)).toMatchObject({ total_items: 1 });
  });

  test('keeps an item with its research', async () => {
    const [from, to] = [
      await newJob({ items: 1, fanOutDone: false }),
      await newJob({ items: 0, fanOutDone: false }),
    ];
    const move = sql`UPDATE wide_research_subtasks SET job_id = ${to} WHERE job_id = ${from}`;
    await expect(run(move)).rejects.toMatchObject({ code: '23514' });
  });

  test("refuses an item in another user's research as it refuses one in none", async () => {
    const job = await newJob({ items: 0, fanOutDone: false });
    const stranger = randomUUID();
    await clone.query('INSERT INTO auth.users (id) VALUES ($1)', [stranger]);
    const errors = await Promise.all(
      [job, randomUUID()].map((id) => run(newItem(id, 0, stranger)).catch((error: unknown) => error)),
    );
    for (const error of errors) {
      expect(error).toMatchObject({ code: '23503', constraint: 'wide_research_subtasks_job_fkey' });
    }
  });

  test('goes with its user', async () => {
    const leaving = randomUUID();
    await clone.query('INSERT INTO auth.users (id) VALUES ($1)', [leaving]);
    const job = await newJob({ items: 2, fanOutDone: true, owner: leaving });
    await clone.query('DELETE FROM auth.users WHERE id = $1', [leaving]);
    expect(await run(sql`SELECT id FROM wide_research_jobs WHERE id = ${job}`)).toEqual([]);
    expect(await run(sql`SELECT id FROM wide_research_subtasks WHERE job_id = ${job}`)).toEqual([]);
    expect(await eventsOf(job)).toEqual([]);
  });
});

interface NewJob {
  readonly items: number;
  readonly fanOutDone: boolean;
  readonly maxFailed?: number | undefined;
  readonly owner?: string;
}

async function newJob({ items, fanOutDone, maxFailed, owner = user }: NewJob): Promise<string> {
  const id = randomUUID();
  await run(sql`
    INSERT INTO wide_research_jobs
      (id, user_id, title, goal, item_prompt, items_source, output_schema, status, max_failed_items)
    VALUES (${id}, ${owner}, 'title', 'goal', 'prompt', '{}', '{}', 'running', ${maxFailed ?? null})`);
  for (let index = 0; index < items; index += 1) await run(newItem(id, index, owner));
  if (fanOutDone) await run(sql`UPDATE wide_research_jobs SET fan_out_done = true WHERE id = ${id}`);
  return id;
}

function newItem(job: string, index: number, owner = user): RawBuilder<unknown> {
  return sql`INSERT INTO wide_research_subtasks (job_id, user_id, item_index, item_key, input)
    VALUES (${job}, ${owner}, ${index}, ${`item ${index}`}, '{}')`;
}

async function finish(
  job: string,
  index: number,
  status: 'completed' | 'failed' | 'cancelled',
): Promise<void> {
  await run(sql`UPDATE wide_research_subtasks SET status = ${status}, finished_at = now()
    WHERE job_id = ${job} AND item_index = ${index}`);
}

async function readJob(id: string): Promise<Job> {
  const [job] = await run(sql<Job>`SELECT * FROM wide_research_jobs WHERE id = ${id}`);
  if (!job) throw new Error(`no job ${id}`);
  return job;
}

/** The events of a research, each proven to have the shape that is published. */
async function eventsOf(job: string): Promise<{ type: string; aggregate_seq: bigint; data: unknown }[]> {
  const rows = await run(sql<{ type: string; version: number; aggregate_seq: bigint; data: unknown }>`
    SELECT type, version, aggregate_seq, data FROM event_outbox WHERE aggregate_id = ${job} ORDER BY aggregate_seq`);
  for (const { type, version, data } of rows) {
    expect(eventRegistry.get(eventKey(type, version))?.data.parse(data)).toEqual(data);
  }
  return rows;
}
