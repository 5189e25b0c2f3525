import { randomUUID } from 'node:crypto';
import { kitErrors } from '@swissbrain/service-kit/errors';
import { principalOf } from '@swissbrain/service-kit/http';
import { runIdempotent } from '@swissbrain/service-kit/idempotency';
import type { RunningService } from '@swissbrain/service-kit/lifecycle';
import { openPlatform, type Platform, serve } from '@swissbrain/service-kit/platform';
import { uuid } from '@swissbrain/shared-schema/ids';
import { mintToken } from '@swissbrain/testkit/tokens';
import { waitFor } from '@swissbrain/testkit/wait';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Stack, startStack } from './stack.ts';

let stack: Stack;
let platform: Platform;
let service: RunningService;
let token = '';
const user = randomUUID();

beforeAll(async () => {
  stack = await startStack();
  await stack.database.query(
    'CREATE TABLE kit_orders (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), item text)',
  );
  await stack.database.query('GRANT SELECT, INSERT ON kit_orders TO sb_credits_user');
  const overrides = { BODY_LIMIT_BYTES: '1000', RATE_LIMIT_PER_MINUTE: '200' };
  platform = await openPlatform('credits', stack.config('credits', overrides));
  routes(platform);
  service = await serve(platform);
  token = await mintToken({ sub: user });
});
afterAll(async () => {
  await service.stop();
  await stack.stop();
});

function routes({ http, database }: Platform): void {
  http.get('/v1/me', { schema: { response: { 200: z.object({ id: uuid }) } } }, (request) => ({
    id: principalOf(request).userId.toUpperCase(),
  }));
  http.get('/v1/open', { config: { public: true } }, () => ({ open: true }));
  const order = z.object({ item: z.string().min(1), count: z.number().int().positive().default(1) });
  http.post('/v1/orders', { schema: { body: order } }, async (request, reply) => {
    const { status, body } = await runIdempotent(database, request, async (tx) => {
      const { rows } = await sql<{
        id: string;
      }>`INSERT INTO kit_orders (item) VALUES (${request.body.item}) RETURNING id`.execute(tx);
      if (request.body.item === 'unavailable') throw kitErrors.not_found('no such item');
      return { status: 201, body: { id: rows[0]?.id } };
    });
    return reply.status(status).send(body);
  });
  http.get(
    '/v1/orders/:id',
    {
      schema: {
        params: z.object({ id: uuid }),
        querystring: z.object({ limit: z.coerce.number().max(10).default(1) }),
      },
    },
    () => ({}),
  );
  http.get('/v1/broken', () => {
    throw new Error('the password is hunter2');
  });
  http.get('/v1/leak', { schema: { response: { 200: z.object({ n: z.bigint() }) } } }, () => ({ n: 1n }));
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: assertions look into whatever came
  readonly body: any;
}

async function ask(
  path: string,
  init: RequestInit & { headers?: Record<string, string> } = {},
): Promise<Answer> {
  const headers = { authorization: `Bearer ${token}`, ...init.headers };
  const response = await fetch(`${service.url}${path}`, { ...init, headers });
  const text = await response.text();
  const json = response.headers.get('content-type')?.includes('json');
  return { status: response.status, headers: response.headers, body: json ? JSON.parse(text) : text };
}
const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  ask(path, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { 'content-type': 'application/json', 'idempotency-key': randomUUID(), ...headers },
  });

function expectProblem(answer: Answer, status: number, code: string): void {
  expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
  expect(answer.body).toMatchObject({ status, code, type: `urn:swissbrain:problem:${code}` });
  expect(answer.status).toBe(status);
  for (const member of ['title', 'detail', 'instance'])
    expect(answer.body[member]).toEqual(expect.any(String));
}

describe('authentication', () => {
  it('lets a verified token in, and its user exists from then on', async () => {
    const answer = await ask('/v1/me');
    expect(answer.body).toEqual({ id: user });
    expect(await stack.database.query('SELECT id FROM auth.users WHERE id = $1', [user])).toHaveLength(1);
    await waitFor(async () => {
      const rows = await stack.database.query<{ done: boolean }>(
        `SELECT published_at IS NOT NULL AS done FROM event_outbox WHERE type = 'user.created' AND user_id = $1`,
        [user],
      );
      return rows[0]?.done;
    });
  });

  const bad: [string, () => Promise<string> | string][] = [
    ['expired', async () => `Bearer ${await mintToken({ expiresIn: '-1m' })}`],
    ['forged', async () => `Bearer ${await mintToken({ secret: 'x'.repeat(40) })}`],
    ['unsigned', async () => `Bearer ${unsigned({ sub: randomUUID(), exp: 9_999_999_999 })}`],
    ['without a user', async () => `Bearer ${await mintToken({ sub: null })}`],
    ['with a user that is no uuid', async () => `Bearer ${await mintToken({ sub: 'admin' })}`],
    ['garbage', () => 'Bearer a.b.c'],
    ['of another scheme', async () => `Basic ${await mintToken()}`],
    ['absent', () => ''],
  ];
  it.each(bad)('refuses a token that is %s', async (_kind, header) => {
    const answer = await ask('/v1/me', { headers: { authorization: await header() } });
    expectProblem(answer, 401, 'unauthorized');
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer /);
  });

  it('refuses a deleted user whose token is still valid', async () => {
    const gone = randomUUID();
    const authorization = `Bearer ${await mintToken({ sub: gone })}`;
    await stack.database.query('INSERT INTO auth.users (id) VALUES ($1)', [gone]);
    await stack.database.query('DELETE FROM auth.users WHERE id = $1', [gone]);
    expectProblem(await ask('/v1/me', { headers: { authorization } }), 401, 'unauthorized');
  });

  it('asks for no token on public routes and outside /v1', async () => {
    for (const path of ['/v1/open', '/healthz', '/readyz', '/openapi.json', '/docs/', '/metrics']) {
      expect((await ask(path, { headers: { authorization: '' } })).status).toBe(200);
    }
  });
});

describe('bad input is answered with a problem', () => {
  it('names the field that is wrong', async () => {
    const answer = await post('/v1/orders', { item: 7, count: -1 });
    expectProblem(answer, 400, 'invalid_request');
    expect(answer.body.errors.map((error: { pointer: string }) => error.pointer)).toEqual([
      '/item',
      '/count',
    ]);
  });
  it('in the path and in the query', async () => {
    expectProblem(await ask('/v1/orders/not-a-uuid'), 400, 'invalid_request');
    const query = await ask(`/v1/orders/${randomUUID()}?limit=11`);
    expectProblem(query, 400, 'invalid_request');
    expect(query.body.errors[0]).toMatchObject({ in: 'querystring', pointer: '/limit' });
  });
  it('malformed JSON', async () =>
    expectProblem(await post('/v1/orders', '{"item": '), 400, 'invalid_request'));
  it('no body', async () => expectProblem(await post('/v1/orders', ''), 400, 'invalid_request'));
  it('prototype poisoning', async () => {
    expectProblem(await post('/v1/orders', '{"__proto__": {"item": "x"}}'), 400, 'invalid_request');
  });
  it('another media type', async () => {
    expectProblem(
      await post('/v1/orders', 'item=x', { 'content-type': 'application/xml' }),
      415,
      'unsupported_media_type',
    );
  });
  it('a body that is too large', async () => {
    expectProblem(await post('/v1/orders', { item: 'x'.repeat(2_000) }), 413, 'body_too_large');
  });
  it('an unknown route, and one that breaks the rules of URLs', async () => {
    expectProblem(await ask('/v1/nothing'), 404, 'not_found');
    expectProblem(await ask('/v1/orders/%E0%A4%A'), 400, 'invalid_request');
  });
  it('a failure nobody foresaw, without its details', async () => {
    const answer = await ask('/v1/broken');
    expectProblem(answer, 500, 'internal');
    expect(JSON.stringify(answer.body)).not.toContain('hunter2');
  });
  it('an answer with a bigint, which must not be rounded', async () => {
    expectProblem(await ask('/v1/leak'), 500, 'internal');
  });
});

describe('idempotency', () => {
  it('repeats the stored answer for the same request', async () => {
    const key = { 'idempotency-key': randomUUID() };
    const first = await post('/v1/orders', { item: 'lamp', count: 2 }, key);
    const second = await post('/v1/orders', '{"count": 2,  "item": "lamp"}', key);
    expect(first.status).toBe(201);
    expect(first.headers.has('idempotency-replayed')).toBe(false);
    expect(second.status).toBe(201);
    expect(second.body).toEqual(first.body);
    expect(second.headers.get('idempotency-replayed')).toBe('true');
  });
  it('refuses the key for another request', async () => {
    const key = { 'idempotency-key': randomUUID() };
    await post('/v1/orders', { item: 'lamp' }, key);
    expectProblem(await post('/v1/orders', { item: 'table' }, key), 409, 'idempotency_key_reused');
  });
  it('asks for a key, and for a sane one', async () => {
    for (const key of ['', 'x'.repeat(201), 'ü']) {
      const answer = await post(
        '/v1/orders',
        { item: 'lamp' },
        { 'idempotency-key': encodeURIComponent(key) === key ? key : '\t' },
      );
      expectProblem(answer, 400, 'idempotency_key_required');
    }
  });
  it('runs the work once however many race', async () => {
    const key = { 'idempotency-key': randomUUID() };
    const item = randomUUID();
    const answers = await Promise.all(Array.from({ length: 8 }, () => post('/v1/orders', { item }, key)));
    expect(new Set(answers.map(({ status, body }) => `${status} ${body.id}`)).size).toBe(1);
    expect(answers.filter(({ headers }) => headers.has('idempotency-replayed'))).toHaveLength(7);
    expect(await stack.database.query('SELECT id FROM kit_orders WHERE item = $1', [item])).toHaveLength(1);
  });
  it('stores nothing of a request that failed', async () => {
    const key = { 'idempotency-key': randomUUID() };
    expectProblem(await post('/v1/orders', { item: 'unavailable' }, key), 404, 'not_found');
    expect((await post('/v1/orders', { item: 'lamp' }, key)).status).toBe(201);
    expect(await stack.database.query(`SELECT id FROM kit_orders WHERE item = 'unavailable'`)).toEqual([]);
  });
  it('keeps the keys of users apart', async () => {
    const key = { 'idempotency-key': randomUUID() };
    const other = { ...key, authorization: `Bearer ${await mintToken()}` };
    const mine = await post('/v1/orders', { item: 'lamp' }, key);
    const theirs = await post('/v1/orders', { item: 'table' }, other);
    expect(theirs.status).toBe(201);
    expect(theirs.body.id).not.toBe(mine.body.id);
  });
});

describe('operation', () => {
  it('gives each request an id, and keeps a given one', async () => {
    expect((await ask('/v1/me')).headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    expect((await ask('/v1/me', { headers: { 'x-request-id': 'mine-1' } })).headers.get('x-request-id')).toBe(
      'mine-1',
    );
  });
  it('describes its routes', async () => {
    const { body } = await ask('/openapi.json');
    expect(Object.keys(body.paths).toSorted()).toEqual([
      '/v1/broken',
      '/v1/leak',
      '/v1/me',
      '/v1/open',
      '/v1/orders',
      '/v1/orders/{id}',
    ]);
    expect(
      body.paths['/v1/me'].get.responses['200'].content['application/json'].schema.properties.id,
    ).toMatchObject({ type: 'string', format: 'uuid' });
    const { post } = body.paths['/v1/orders'];
    expect(post.parameters).toContainEqual(
      expect.objectContaining({ in: 'header', name: 'idempotency-key', required: false }),
    );
    expect(post.responses.default.content['application/problem+json'].schema).toEqual({
      $ref: '#/components/schemas/Problem',
    });
    expect(body.paths['/v1/orders'].post.requestBody.content['application/json'].schema.required).toEqual([
      'item',
    ]);
  });
  it('measures', async () => {
    const { body } = await ask('/metrics');
    expect(/http_request_duration_seconds_count\{.*route="\/v1\/me",status="200"\} \d/.test(body)).toBe(true);
    expect(/outbox_backlog_rows\{service="credits"\} \d/.test(body)).toBe(true);
  });
  it('counts requests per user', async () => {
    const authorization = `Bearer ${await mintToken()}`;
    const statuses = new Set<number>();
    for (let round = 0; round < 210; round += 1)
      statuses.add((await ask('/v1/me', { headers: { authorization } })).status);
    expect(statuses).toEqual(new Set([200, 429]));
    expectProblem(await ask('/v1/me', { headers: { authorization } }), 429, 'too_many_requests');
    expect((await ask('/v1/me')).status).toBe(200);
  });
  it('says what is missing when a dependency is away', async () => {
    await stack.redis.kill();
    const answer = await waitFor(async () => {
      const ready = await ask('/readyz');
      return ready.status === 503 ? ready : undefined;
    });
    expect(answer.body.checks).toMatchObject({ postgres: 'up', nats: 'up' });
    expect(answer.body.checks.redis).not.toBe('up');
    expect((await ask('/healthz')).status).toBe(200);
    await stack.redis.restart();
    await waitFor(async () => (await ask('/readyz')).status === 200);
  });
});

function unsigned(claims: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none', typ: 'JWT' })}.${part(claims)}.`;
}
