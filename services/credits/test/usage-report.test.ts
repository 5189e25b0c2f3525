import { randomUUID } from 'node:crypto';
import { alertsView, usageItem, usagePage } from '@swissbrain/shared-schema/http/credits';
import { call, expectProblem, readAllPages } from '@swissbrain/testkit/http-cases';
import { mintToken } from '@swissbrain/testkit/tokens';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeRefusals, newUser } from './api-fixture.ts';
import { type CreditsUnderTest, startCredits } from './service-fixture.ts';

let credits: CreditsUnderTest;
beforeAll(async () => {
  credits = await startCredits();
});
afterAll(() => credits?.stop());

/** A user with usage at these moments, a run each. */
async function userWith(lines: readonly { operation: string; quantity: number; at: string }[]) {
  const { user, token } = await newUser(credits.url);
  const runs: string[] = [];
  for (const { operation, quantity, at } of lines) {
    const run = randomUUID();
    runs.push(run);
    const [held] = await credits.database.query<{ id: string }>(
      `SELECT reservation_id AS id FROM reserve_credits($1, $2, 1000000, $3, '1 hour')`,
      [user, run, run],
    );
    // The ledger cannot be rewritten, not even here: the entry is written as if it had been then.
    await credits.database.query(
      `INSERT INTO credit_transactions (created_at, user_id, reservation_seq, kind, amount_micro, reservation_id, run_id,
         step_id, operation, quantity, pricing_id, price_micro, per_quantity, cost_micro, cause)
       VALUES ($1, $2, 1, 'consume', -$3::bigint, $4, $5, $6, $7, $3, $6, 1, 1, $3, 'step')`,
      [at, user, quantity, held?.id, run, randomUUID(), operation],
    );
    await credits.database.query(`SELECT release_credits($1, $2, 'test')`, [held?.id, randomUUID()]);
  }
  return { user, token, runs };
}
const lines = [
  { operation: 'llm.gpt-4.1.input', quantity: 1_000_000, at: '2026-02-10T22:30:00Z' },
  { operation: 'llm.gpt-4.1.output', quantity: 2_000_000, at: '2026-02-10T23:30:00Z' },
  { operation: 'web.search', quantity: 4_000_000, at: '2026-02-11T12:00:00Z' },
  { operation: 'llm.=cmd|x.input', quantity: 8_000_000, at: '2026-02-12T12:00:00Z' },
];
const range = 'from=2026-02-01T00:00:00Z&to=2026-03-01T00:00:00Z';
const usage = async (token: string, query: string) => {
  const answer = await call(credits.url, `/v1/credits/usage?${query}`, { token });
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  return usagePage.parse(answer.body);
};
const brief = (page: { items: { key: string; cost: string }[] }) =>
  page.items.map(({ key, cost }) => [key, cost]);

describe('usage', () => {
  test('is added up by day of a zone, tool, model and run', async () => {
    const { token, runs } = await userWith(lines);
    expect(brief(await usage(token, `${range}&group_by=day`))).toEqual([
      ['2026-02-12', '8'],
      ['2026-02-11', '4'],
      ['2026-02-10', '3'],
    ]);
    expect(brief(await usage(token, `${range}&group_by=day&time_zone=Europe/Zurich`))).toEqual([
      ['2026-02-12', '8'],
      ['2026-02-11', '6'],
      ['2026-02-10', '1'],
    ]);
    expect(brief(await usage(token, `${range}&group_by=tool`))).toEqual([
      ['llm', '11'],
      ['search', '4'],
    ]);
    const models = await usage(token, `${range}&group_by=model`);
    expect(models.items).toMatchObject([
      { key: '=cmd|x', input_tokens: '8000000', output_tokens: null },
      {
        key: 'gpt-4.1',
        cost: '3',
        charged: '3',
        entries: 2,
        input_tokens: '1000000',
        output_tokens: '2000000',
      },
    ]);
    const byRun = await usage(token, `${range}&group_by=run`);
    expect(byRun.items.map(({ key }) => key)).toEqual(runs.toReversed());
  });

  test.each(['day', 'tool', 'model', 'run'])('by %s comes in pages without gap or repeat', async (group) => {
    const { token } = await userWith(lines);
    const path = `/v1/credits/usage?${range}&group_by=${group}`;
    const whole = await usage(token, `${range}&group_by=${group}`);
    const { items, pages } = await readAllPages(credits.url, path, { token, limit: 1 });
    expect(usageItem.array().parse(items)).toEqual(whole.items);
    expect(pages).toBe(whole.items.length);
  });

  test('of another user, or of another time, is not in it', async () => {
    await userWith(lines);
    const { token } = await newUser(credits.url);
    expect((await usage(token, range)).items).toEqual([]);
    const mine = await userWith(lines);
    expect((await usage(mine.token, 'from=2026-02-11T12:00:00Z&to=2026-02-12T12:00:00Z')).items).toHaveLength(
      1,
    );
  });
});

describe('the export', () => {
  const text = async (token: string, query: string) => {
    const response = await fetch(new URL(`/v1/credits/usage/export?${query}`, credits.url), {
      headers: { authorization: `Bearer ${token}` },
    });
    return { response, body: await response.text() };
  };

  test('is RFC 4180, in the zone asked for, and nothing in it runs in a spreadsheet', async () => {
    const { token, runs } = await userWith([
      ...lines.slice(2),
      { operation: '=1+1,"x"', quantity: 1, at: '2026-02-13T00:00:00Z' },
    ]);
    const { response, body } = await text(token, `${range}&time_zone=Europe/Zurich`);
    expect(response.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    const rows = body.split('\r\n');
    expect(rows[0]).toBe('time,run_id,step_id,operation,quantity,cost,charged');
    expect(rows[1]).toMatch(
      new RegExp(`^2026-02-11 13:00:00,${runs[0]},[0-9a-f-]{36},web.search,4000000,4,4$`),
    );
    expect(rows[3]).toContain(`,"'=1+1,""x""",1,0.000001,0.000001`);
    expect(rows[4]).toBe('');
  });

  test('goes on beyond a batch', async () => {
    const { user, token } = await newUser(credits.url);
    await credits.database.query(
      `WITH held AS (SELECT reservation_id AS id FROM reserve_credits($1, $2, 1000000, 'k', '1 hour'))
       INSERT INTO credit_transactions (created_at, user_id, reservation_seq, kind, amount_micro, reservation_id, run_id,
         step_id, operation, quantity, pricing_id, price_micro, per_quantity, cost_micro, cause)
       SELECT '2026-02-10Z'::timestamptz + n / 3 * interval '1 second', $1, n, 'consume', -1, held.id, $2, $2, 'web.search',
              n, $2, 1, 1, 1, 'step' FROM held, generate_series(1, 2500) n`,
      [user, randomUUID()],
    );
    const { body } = await text(token, range);
    const quantities = body
      .split('\r\n')
      .slice(1, -1)
      .map((row) => Number(row.split(',')[4]));
    expect(quantities.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 2500 }, (_, i) => i + 1));
  });

  test('of nothing is its header', async () => {
    const { token } = await newUser(credits.url);
    expect((await text(token, range)).body).toBe('time,run_id,step_id,operation,quantity,cost,charged\r\n');
  });
});

test('the thresholds of alerts are shown, set and taken back', async () => {
  const { token } = await newUser(credits.url);
  const path = '/v1/credits/alerts';
  const put = async (thresholds: string[] | null) =>
    alertsView.parse((await call(credits.url, path, { token, method: 'PUT', body: { thresholds } })).body);
  expect((await call(credits.url, path, { token })).body).toEqual({
    ...{ thresholds: ['20%', '5%'], inherited: true, crossed: [] },
  });
  expect(await put(['150.5'])).toEqual({ thresholds: ['150.5'], inherited: false, crossed: ['150.5'] });
  expect(await put(null)).toMatchObject({ inherited: true, crossed: [] });
});

describe('refuses', () => {
  describeRefusals(
    () => credits.url,
    [
      { method: 'GET', path: '/v1/credits/usage' },
      { method: 'GET', path: '/v1/credits/usage/export' },
      { method: 'GET', path: '/v1/credits/alerts' },
    ],
  );

  test.each([
    'group_by=user',
    'from=yesterday',
    'time_zone=Mars/Olympus',
    'from=2026-03-01T00:00:00Z&to=2026-02-01T00:00:00Z',
    'from=2020-01-01T00:00:00Z',
    'limit=0',
  ])('the query %s', async (query) => {
    const token = await mintToken();
    expectProblem(await call(credits.url, `/v1/credits/usage?${query}`, { token }), 400, 'invalid_request');
  });

  test.each(['x', 'W10', Buffer.from('[1,2]').toString('base64url')])('the cursor %s', async (cursor) => {
    const token = await mintToken();
    const answer = await call(credits.url, `/v1/credits/usage?cursor=${cursor}`, { token });
    expectProblem(answer, 400, 'invalid_cursor');
  });

  test.each([
    {},
    { thresholds: '20%' },
    { thresholds: ['101%'] },
    { thresholds: ['-1'] },
    { thresholds: ['5', '5'] },
  ])('the thresholds %j', async (body) => {
    const token = await mintToken();
    const answer = await call(credits.url, '/v1/credits/alerts', { token, method: 'PUT', body });
    expectProblem(answer, 400, 'invalid_request');
  });
});
