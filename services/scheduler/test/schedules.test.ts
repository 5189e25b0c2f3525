import { randomUUID } from 'node:crypto';
import { scheduleView } from '@swissbrain/shared-schema/http/scheduler';
import {
  call,
  describeReadRefusals,
  describeSelfDescription,
  expectProblem,
  readAllPages,
} from '@swissbrain/testkit/http-cases';
import { type ServiceUnderTest, startServiceUnderTest } from '@swissbrain/testkit/service-under-test';
import { mintToken } from '@swissbrain/testkit/tokens';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { configSchema } from '../src/config.ts';
import { startService } from '../src/service.ts';

let service: ServiceUnderTest;
const url = () => service.url;
beforeAll(async () => {
  service = await startServiceUnderTest({ service: 'scheduler', configSchema, start: startService });
});
afterAll(() => service?.stop());

describe('GET /v1/schedules', () => {
  describeSelfDescription(url, ['/v1/schedules', '/v1/schedules/{id}']);
  describeReadRefusals({
    url,
    list: '/v1/schedules',
    item: (id) => `/v1/schedules/${id}`,
    notFound: 'schedule_not_found',
    unknownId: randomUUID(),
    malformedId: '1',
  });

  test('gives a new user none', async () => {
    const token = await mintToken({ sub: randomUUID() });
    const { body } = await call(service.url, '/v1/schedules', { token });
    expect(body).toEqual({ items: [], next_cursor: null });
  });

  test("gives a user their own, newest first, without archived ones and never another's", async () => {
    const [mine, other] = [randomUUID(), randomUUID()];
    const token = await mintToken({ sub: mine });
    // In one statement: the same created_at, so that the id must break the tie between pages.
    const ids = await newSchedules(mine, 5);
    const [foreign] = await newSchedules(other, 1);
    const [archived] = await newSchedules(mine, 1);
    await service.database.query(`UPDATE scheduled_tasks SET status = 'archived' WHERE id = $1`, [archived]);

    const { items, pages } = await readAllPages(service.url, '/v1/schedules', { token, limit: 2 });
    const schedules = items.map((item) => scheduleView.parse(item));
    expect(schedules.map(({ id }) => id)).toEqual(ids.toSorted().toReversed());
    expect(pages).toBe(3);

    const path = (id: string | undefined) => `/v1/schedules/${id}`;
    expect((await call(service.url, path(ids[0]), { token })).body).toEqual(
      schedules.find(({ id }) => id === ids[0]),
    );
    for (const id of [foreign, archived]) {
      expectProblem(await call(service.url, path(id), { token }), 404, 'schedule_not_found');
    }
  });

  test.each([
    [
      'cron',
      `'cron', '0 9 * * 1-5', 'Europe/Zurich', NULL, NULL, NULL`,
      { kind: 'cron', expression: '0 9 * * 1-5', time_zone: 'Europe/Zurich' },
    ],
    [
      'interval',
      `'interval', NULL, 'UTC', 3600, '2026-01-01T00:00:00Z', NULL`,
      { kind: 'interval', every_seconds: 3600, anchor_at: '2026-01-01T00:00:00.000Z' },
    ],
    [
      'once',
      `'once', NULL, 'UTC', NULL, NULL, '2030-05-01T12:30:00Z'`,
      { kind: 'once', run_at: '2030-05-01T12:30:00.000Z' },
    ],
  ])('shows when a schedule of kind %s fires', async (_kind, values, timing) => {
    const user = await newUser();
    const [row] = await service.database.query<{ id: string }>(
      `INSERT INTO scheduled_tasks (user_id, name, kind, cron_expression, time_zone, interval_seconds, anchor_at,
         run_at, target_kind, target)
       VALUES ($1, 'report', ${values}, 'run', '{"goal": "report"}') RETURNING id`,
      [user],
    );
    const answer = await call(service.url, `/v1/schedules/${row?.id}`, {
      token: await mintToken({ sub: user }),
    });
    expect(answer.body).toMatchObject({ timing, status: 'active', target: { goal: 'report' } });
  });
});

async function newUser(id: string = randomUUID()): Promise<string> {
  await service.database.query('INSERT INTO auth.users (id) VALUES ($1) ON CONFLICT DO NOTHING', [id]);
  return id;
}

async function newSchedules(user: string, count: number): Promise<string[]> {
  await newUser(user);
  const rows = await service.database.query<{ id: string }>(
    `INSERT INTO scheduled_tasks (user_id, name, kind, interval_seconds, anchor_at, target_kind, target)
     SELECT $1, 'schedule ' || number, 'interval', 60, now(), 'run', '{}' FROM generate_series(1, $2::int) AS number
     RETURNING id`,
    [user, count],
  );
  return rows.map(({ id }) => id);
}
