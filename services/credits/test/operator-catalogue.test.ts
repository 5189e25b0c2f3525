import { randomUUID } from 'node:crypto';
import {
  auditEntry,
  denialPage,
  priceVersionPage,
  tierVersionList,
} from '@swissbrain/shared-schema/http/credit-operators';
import { tierList } from '@swissbrain/shared-schema/http/credits';
import { driftPage } from '@swissbrain/shared-schema/http/credits-drift';
import { call, expectProblem, readAllPages } from '@swissbrain/testkit/http-cases';
import { mintToken } from '@swissbrain/testkit/tokens';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeRefusals, newUser, operatorToken, post } from './api-fixture.ts';
import { type CreditsUnderTest, startCredits } from './service-fixture.ts';

let credits: CreditsUnderTest;
let token: string;
const operator = randomUUID();
beforeAll(async () => {
  credits = await startCredits({ TIER_SWEEP_MS: '100' });
  token = await operatorToken(operator);
});
afterAll(() => credits?.stop());

/** A moment so many milliseconds from now, by the database's clock. */
async function soon(ms: number): Promise<string> {
  const [row] = await credits.database.query<{ at: Date }>(
    `SELECT clock_timestamp() + $1 * interval '1 millisecond' AS at`,
    [ms],
  );
  return (row?.at ?? new Date(0)).toISOString();
}
const act = (path: string, body: object, key?: string) =>
  post(credits.url, path, { token, body, ...(key === undefined ? {} : { key }) });
const later = '2199-01-01T00:00:00.000Z';

describe('a price', () => {
  const price = (operation: string, from: string, credit: string) =>
    act('/v1/admin/prices', {
      ...{ operation, price: credit, per_quantity: 1, effective_from: from, reason: 'dearer' },
      ...(operation === 'web.search' ? {} : { unit: 'call', description: 'New' }),
    });

  test('has a new version from a moment in the future on, and a hold made before it keeps its own', async () => {
    const { user } = await newUser(credits.url);
    const reserve = async () => {
      const run = randomUUID();
      const [row] = await credits.database.query<{ id: string }>(
        `SELECT reservation_id AS id FROM reserve_credits($1, $2, 20000000, $3, '1 hour')`,
        [user, run, run],
      );
      return row?.id ?? '';
    };
    const consume = async (id: string) => {
      const [row] = await credits.database.query<{ cost: bigint }>(
        `SELECT cost FROM consume_credits($1, $2, 'web.search', 1, $3, now())`,
        [id, randomUUID(), randomUUID()],
      );
      return row?.cost;
    };
    await credits.database.query(`SELECT change_tier($1, 'pro', 'k')`, [user]);
    const before = await reserve();
    const from = await soon(3_000);
    const entry = auditEntry.parse((await price('web.search', from, '2.5')).body);
    expect(entry).toMatchObject({ action: 'price.version', target: 'web.search', user_id: null });
    expect(entry.after).toMatchObject({ version: 2, price: '2.5' });
    await waitFor(async () => {
      const [row] = await credits.database.query<{ begun: boolean }>(
        'SELECT clock_timestamp() > $1 AS begun',
        [from],
      );
      return row?.begun;
    });
    expect(await consume(before)).toBe(1_000_000n);
    expect(await consume(await reserve())).toBe(2_500_000n);
  });

  test('is versioned in order, in the future, and its history is listed', async () => {
    const operation = 'ocr.page';
    expect((await price(operation, '2198-01-01T00:00:00Z', '1')).status).toBe(200);
    expect((await price(operation, later, '2')).status).toBe(200);
    expectProblem(await price(operation, '2198-06-01T00:00:00Z', '3'), 409, 'version_out_of_order');
    expectProblem(await price(operation, '2020-01-01T00:00:00Z', '3'), 422, 'amount_invalid');
    const { items } = await readAllPages(credits.url, `/v1/admin/prices?operation=${operation}`, {
      token,
      limit: 100,
    });
    expect(priceVersionPage.shape.items.parse(items)).toMatchObject([
      { version: 2, price: '2', valid_from: later, valid_to: null },
      { version: 1, price: '1', valid_to: later },
    ]);
  });

  test('is versioned once under one key', async () => {
    const body = { operation: 'pdf.page', price: '1', per_quantity: 10, unit: 'page', description: 'A page' };
    const whole = { ...body, effective_from: later, reason: 'new' };
    const key = randomUUID();
    const [first, second] = [
      await act('/v1/admin/prices', whole, key),
      await act('/v1/admin/prices', whole, key),
    ];
    expect(second.body).toEqual(first.body);
    expectProblem(await act('/v1/admin/prices', { ...whole, price: '2' }, key), 409, 'request_key_reused');
  });
});

describe('a tier', () => {
  const version = (code: string, terms: object, from: string) =>
    act(`/v1/admin/tiers/${code}/versions`, { terms, effective_from: from, reason: 'better' });
  const shown = async (code: string) =>
    tierList
      .parse((await call(credits.url, '/v1/credits/tiers', { token })).body)
      .items.find((tier) => tier.code === code);

  test('has new terms when their time has come: limits at once, credits with the next period', async () => {
    const { user } = await newUser(credits.url);
    const terms = { monthly_credits: '150.5', max_concurrent_runs: 2, overdraft_limit: '7' };
    const answer = await version('free', terms, await soon(3_000));
    expect(auditEntry.parse(answer.body).after).toMatchObject({ version: 2, monthly_credits: '150.5' });
    await waitFor(async () => (await shown('free'))?.monthly_credits === '150.5', {
      describe: 'the new terms',
    });
    expect(await shown('free')).toMatchObject({
      max_concurrent_runs: 2,
      max_parallel_items: 5,
      name: 'Free',
    });
    const states = [];
    for (const run of [randomUUID(), randomUUID(), randomUUID()]) {
      const [row] = await credits.database.query<{ status: string }>(
        `SELECT status FROM reserve_credits($1, $2, 1000000, $3, '1 hour')`,
        [user, run, run],
      );
      states.push(row?.status);
    }
    expect(states).toEqual(['reserved', 'reserved', 'concurrency_limit']);
    await credits.database.query(
      `SELECT grant_monthly_credits(clock_timestamp() + interval '32 days', 1000)`,
    );
    const [balance] = await credits.database.query(
      'SELECT credited_micro, overdraft_limit_micro FROM credit_balances WHERE user_id = $1',
      [user],
    );
    expect(balance).toEqual({ credited_micro: 250_500_000n, overdraft_limit_micro: 7_000_000n });
    expect(await credits.database.query('SELECT * FROM verify_credits($1)', [user])).toEqual([]);
  });

  test('lists what it was and will be; a later version builds on the one before', async () => {
    expect((await version('team', { name: 'Teams' }, '2198-01-01T00:00:00Z')).status).toBe(200);
    expect((await version('team', { price_cents: 5900 }, later)).status).toBe(200);
    expectProblem(
      await version('team', { price_cents: 1 }, '2198-06-01T00:00:00Z'),
      409,
      'version_out_of_order',
    );
    const { items } = tierVersionList.parse(
      (await call(credits.url, '/v1/admin/tiers/team/versions', { token })).body,
    );
    expect(
      items.map(({ terms, applied_at }) => [terms.name, terms.price_cents, applied_at !== null]),
    ).toEqual([
      ['Teams', 5900, false],
      ['Teams', 4900, false],
      ['Team', 4900, true],
    ]);
  });

  test('refuses terms it could not have, and one that is not there', async () => {
    expectProblem(await version('enterprise', { monthly_credits: '5' }, later), 422, 'amount_invalid');
    expectProblem(await version('enterprise', { overdraft_limit: '5' }, later), 422, 'amount_invalid');
    expectProblem(await version('pro', { name: 'Pro' }, '2020-01-01T00:00:00Z'), 422, 'amount_invalid');
    expectProblem(await version('gold', { name: 'Gold' }, later), 404, 'tier_not_found');
    expectProblem(await call(credits.url, '/v1/admin/tiers/gold/versions', { token }), 404, 'tier_not_found');
  });
});

describe('the lists', () => {
  test('of denials has who was denied, newest first', async () => {
    const { user } = await newUser(credits.url);
    const runs = [randomUUID(), randomUUID(), randomUUID()];
    for (const run of runs) {
      await credits.database.query(`SELECT reserve_credits($1, $2, 500000000, $3, '1 hour')`, [
        user,
        run,
        run,
      ]);
    }
    const { items } = await readAllPages(credits.url, '/v1/admin/denials', { token, limit: 2 });
    const denials = denialPage.shape.items.parse(items).filter((denial) => denial.user_id === user);
    expect(denials.map(({ run_id }) => run_id)).toEqual(runs.toReversed());
    expect(denials[0]).toMatchObject({ requested: '500', minimum: '500', reason: 'insufficient' });
  });

  test('of drift goes through all accounts, page by page', async () => {
    const { user } = await newUser(credits.url);
    await credits.database.query('UPDATE credit_balances SET debt_micro = 1 WHERE user_id = $1', [user]);
    const { items, pages } = await readAllPages(credits.url, '/v1/admin/drift', { token, limit: 3 });
    const found = driftPage.shape.items.parse(items);
    expect(found.map(({ user_id }) => user_id)).toEqual(found.map(() => user));
    expect(found.map(({ what }) => what)).toContain('grants left less debt is money');
    const looks = await credits.database.query(
      `SELECT FROM credit_audit WHERE operator_id = $1 AND action = 'drift.list'`,
      [operator],
    );
    expect(looks).toHaveLength(pages);
  });
});

describe('refuses', () => {
  const price = { operation: 'a.b', price: '1', per_quantity: 1, effective_from: later, reason: 'r' };
  const tier = { terms: { name: 'T' }, effective_from: later, reason: 'r' };
  const lists = ['prices', 'audit', 'denials', 'drift', 'tiers/free/versions'];
  describeRefusals(
    () => credits.url,
    [
      ...lists.map((list) => ({ method: 'GET', path: `/v1/admin/${list}`, operator: true }) as const),
      {
        method: 'POST',
        path: '/v1/admin/prices',
        body: price,
        operator: true,
        badBodies: [
          { ...price, price: '-1' },
          { ...price, per_quantity: 0 },
          { ...price, per_quantity: '1' },
          { ...price, operation: 'a b' },
          { ...price, effective_from: 'now' },
        ],
      },
      {
        method: 'POST',
        path: '/v1/admin/tiers/free/versions',
        body: tier,
        operator: true,
        badBodies: [
          { ...tier, terms: {} },
          { ...tier, terms: { code: 'x' } },
          { ...tier, terms: { sandbox_seconds: null } },
          { ...tier, terms: { max_concurrent_runs: 0 } },
        ],
      },
    ],
  );

  test.each(['limit=0', 'limit=101', 'cursor='])('the query %s', async (query) => {
    for (const list of ['prices', 'audit', 'denials']) {
      expectProblem(await call(credits.url, `/v1/admin/${list}?${query}`, { token }), 400, 'invalid_request');
    }
  });

  test('a cursor of its own making', async () => {
    for (const list of ['prices', 'audit', 'denials']) {
      const answer = await call(credits.url, `/v1/admin/${list}?cursor=garbage`, { token });
      expectProblem(answer, 400, 'invalid_cursor');
    }
  });

  test('a first price without its unit', async () => {
    expectProblem(await act('/v1/admin/prices', { ...price, operation: 'no.unit' }), 422, 'amount_invalid');
  });

  test('a user’s token, whatever it asks for itself', async () => {
    const own = await mintToken({ claims: { role: 'operator', user_metadata: { scopes: ['operator'] } } });
    expectProblem(await call(credits.url, '/v1/admin/audit', { token: own }), 403, 'forbidden');
  });
});
