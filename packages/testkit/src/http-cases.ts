import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { mintToken, testSecret } from './tokens.ts';

/** An answer with its body parsed. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

export interface CallOptions {
  readonly token?: string;
  readonly authorization?: string;
  readonly method?: string;
  /** Sent as JSON; text and bytes as they are. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Calls a service; `authorization` is sent as it is, `token` as a bearer token. */
export async function call(url: string, path: string, options: CallOptions = {}): Promise<Answer> {
  const { body } = options;
  const authorization = options.authorization ?? (options.token ? `Bearer ${options.token}` : undefined);
  const response = await fetch(new URL(path, url), {
    method: options.method ?? 'GET',
    headers: {
      ...(authorization ? { authorization } : {}),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...options.headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: text === '' ? undefined : JSON.parse(text),
  };
}

/** Asserts a problem document of that status and code. */
export function expectProblem(answer: Answer, status: number, code: string): void {
  expect(answer.status, JSON.stringify(answer.body)).toBe(status);
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  expect(answer.body).toMatchObject({ status, code, title: expect.any(String), detail: expect.any(String) });
}

/** Reads every page of a list and returns its items in order. */
export async function readAllPages(
  url: string,
  list: string,
  options: { token: string; limit: number },
): Promise<{ items: unknown[]; pages: number }> {
  const items: unknown[] = [];
  for (let cursor: string | null = '', pages = 1; ; pages += 1) {
    const query = new URLSearchParams({ limit: String(options.limit), ...(cursor ? { cursor } : {}) });
    const answer = await call(url, `${list}${list.includes('?') ? '&' : '?'}${query}`, {
      token: options.token,
    });
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    const page = answer.body as { items: unknown[]; next_cursor: string | null };
    expect(page.items.length).toBeLessThanOrEqual(options.limit);
    items.push(...page.items);
    cursor = page.next_cursor;
    if (cursor === null) return { items, pages };
  }
}

export interface ReadCases {
  readonly url: () => string;
  readonly list: string;
  readonly item: (id: string) => string;
  /** The code of the problem that says there is no such item. */
  readonly notFound: string;
  readonly unknownId: string;
  readonly malformedId: string;
}

const cursorOf = (...position: unknown[]) => Buffer.from(JSON.stringify(position)).toString('base64url');
const unsigned = (payload: object) =>
  `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(JSON.stringify(payload)).toString('base64url')}.`;

/** Registers what every list and its items must refuse, and how. */
export function describeReadRefusals({ url, list, item, notFound, unknownId, malformedId }: ReadCases): void {
  describe('refuses', () => {
    test.each<[string, () => Promise<{ token?: string; authorization?: string }>]>([
      ['no token', async () => ({})],
      ['another scheme', async () => ({ authorization: 'Basic dXNlcjpwYXNz' })],
      ['a token that is none', async () => ({ token: 'not.a.token' })],
      ['an expired token', async () => ({ token: await mintToken({ expiresIn: '-1h' }) })],
      ['a token of another secret', async () => ({ token: await mintToken({ secret: `${testSecret}x` }) })],
      [
        'an unsigned token',
        async () => ({ token: unsigned({ sub: randomUUID(), exp: 4_102_444_800, role: 'authenticated' }) }),
      ],
      ['a token whose subject is no user', async () => ({ token: await mintToken({ sub: 'admin' }) })],
    ])('%s', async (_name, credentials) => {
      const options = await credentials();
      for (const path of [list, item(unknownId)]) {
        const answer = await call(url(), path, options);
        expectProblem(answer, 401, 'unauthorized');
        expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
      }
    });

    test.each([
      ['limit=0'],
      ['limit=101'],
      ['limit=-1'],
      ['limit=many'],
      ['limit=1.5'],
      ['cursor='],
      [`cursor=${'x'.repeat(300)}`],
    ])('the query %s', async (query) => {
      expectProblem(
        await call(url(), `${list}?${query}`, { token: await mintToken() }),
        400,
        'invalid_request',
      );
    });

    test.each([
      ['noise', 'garbage'],
      ['an object', Buffer.from('{"id":1}').toString('base64url')],
      ['no time', cursorOf('yesterday', unknownUuid)],
      ['a day that does not exist', cursorOf('2026-02-30 00:00:00+00', unknownUuid)],
      ['no id', cursorOf('2026-02-03 00:00:00+00', "' OR true --")],
    ])('a cursor with %s', async (_name, cursor) => {
      const answer = await call(url(), `${list}?cursor=${cursor}`, { token: await mintToken() });
      expectProblem(answer, 400, 'invalid_cursor');
    });

    test('an unknown item and one that cannot exist', async () => {
      const token = await mintToken();
      expectProblem(await call(url(), item(unknownId), { token }), 404, notFound);
      expectProblem(await call(url(), item(malformedId), { token }), 400, 'invalid_request');
    });

    test('methods and paths that are not there', async () => {
      const token = await mintToken();
      expectProblem(await call(url(), list, { token, method: 'POST' }), 404, 'not_found');
      expectProblem(await call(url(), `${item(unknownId)}/more`, { token }), 404, 'not_found');
    });
  });
}

const unknownUuid = '5b1f9b0e-7d5c-4a53-9b27-6a1f5f0c9d10';

/** Registers what every service shows about itself, and what it shows to operators. */
export function describeSelfDescription(url: () => string, paths: readonly string[]): void {
  test('says that it is alive and ready, and describes its API', async () => {
    expect((await call(url(), '/healthz')).status).toBe(200);
    expect((await call(url(), '/readyz')).body).toMatchObject({ status: 'ready' });
    const description = (await call(url(), '/openapi.json')).body as { paths: Record<string, unknown> };
    expect(Object.keys(description.paths)).toEqual(expect.arrayContaining([...paths]));
  });

  test('shows its dead letters to operators alone', async () => {
    const path = '/v1/admin/dead-letters';
    expectProblem(await call(url(), path, { token: await mintToken() }), 403, 'forbidden');
    const token = await mintToken({ claims: { scope: 'operator' } });
    expect((await call(url(), path, { token })).body).toEqual({ items: [], next_cursor: null });
  });
}
