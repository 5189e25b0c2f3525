import { randomUUID } from 'node:crypto';
import { sessionView } from '@swissbrain/shared-schema/http/collab';
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
  service = await startServiceUnderTest({ service: 'collab', configSchema, start: startService });
});
afterAll(() => service?.stop());

const path = (id: string | undefined) => `/v1/sessions/${id}`;

describe('GET /v1/sessions', () => {
  describeSelfDescription(url, ['/v1/sessions', '/v1/sessions/{id}']);
  describeReadRefusals({
    url,
    list: '/v1/sessions',
    item: path,
    notFound: 'session_not_found',
    unknownId: randomUUID(),
    malformedId: '00000000-0000-0000-0000',
  });

  test('gives a new user none', async () => {
    const token = await mintToken({ sub: randomUUID() });
    const { body } = await call(service.url, '/v1/sessions', { token });
    expect(body).toEqual({ items: [], next_cursor: null });
  });

  test("gives a user their own, newest first, and never another's", async () => {
    const [mine, other] = [randomUUID(), randomUUID()];
    const token = await mintToken({ sub: mine });
    // In one statement: the same created_at, so that the id must break the tie between pages.
    const ids = await newSessions(mine, 5);
    const [foreign] = await newSessions(other, 1);

    const { items, pages } = await readAllPages(service.url, '/v1/sessions', { token, limit: 2 });
    const sessions = items.map((item) => sessionView.parse(item));
    expect(sessions.map(({ id }) => id)).toEqual(ids.toSorted().toReversed());
    expect(sessions.every(({ role, owner_id }) => role === 'owner' && owner_id === mine)).toBe(true);
    expect(pages).toBe(3);

    expect((await call(service.url, path(ids[0]), { token })).body).toEqual(
      sessions.find(({ id }) => id === ids[0]),
    );
    expectProblem(await call(service.url, path(foreign), { token }), 404, 'session_not_found');
  });

  test('gives one who takes part the session with their role, until access is revoked', async () => {
    const [owner, guest] = [randomUUID(), randomUUID()];
    const [session] = await newSessions(owner, 1);
    const token = await mintToken({ sub: guest });
    expectProblem(await call(service.url, path(session), { token }), 404, 'session_not_found');

    await service.database.query('INSERT INTO auth.users (id) VALUES ($1) ON CONFLICT DO NOTHING', [guest]);
    await service.database.query(
      `INSERT INTO collaboration_participants (session_id, owner_id, user_id, role) VALUES ($1, $2, $3, 'viewer')`,
      [session, owner, guest],
    );
    const shared = await call(service.url, path(session), { token });
    expect(shared.body).toMatchObject({ id: session, owner_id: owner, role: 'viewer' });
    const list = await readAllPages(service.url, '/v1/sessions', { token, limit: 20 });
    expect(list.items).toEqual([shared.body]);

    await service.database.query(
      'UPDATE collaboration_participants SET revoked_at = now() WHERE session_id = $1',
      [session],
    );
    expectProblem(await call(service.url, path(session), { token }), 404, 'session_not_found');
  });
});

async function newSessions(owner: string, count: number): Promise<string[]> {
  await service.database.query('INSERT INTO auth.users (id) VALUES ($1) ON CONFLICT DO NOTHING', [owner]);
  const rows = await service.database.query<{ id: string }>(
    `INSERT INTO collaboration_sessions (user_id, title)
     SELECT $1, 'document ' || number FROM generate_series(1, $2::int) AS number RETURNING id`,
    [owner, count],
  );
  return rows.map(({ id }) => id);
}
