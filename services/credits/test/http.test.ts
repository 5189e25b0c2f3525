import { randomUUID } from 'node:crypto';
import {
  balanceView,
  priceList,
  reservationPage,
  tierList,
  transactionPage,
} from '@swissbrain/shared-schema/http/credits';
import { call, describeSelfDescription, expectProblem, readAllPages } from '@swissbrain/testkit/http-cases';
import { mintToken, testSecret } from '@swissbrain/testkit/tokens';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CreditsUnderTest, startCredits } from './service-fixture.ts';

let credits: CreditsUnderTest;
beforeAll(async () => {
  credits = await startCredits();
});
afterAll(() => credits?.stop());

const routes = ['balance', 'transactions', 'reservations', 'tiers', 'prices'].map(
  (name) => `/v1/credits/${name}`,
);
const lists = ['/v1/credits/transactions', '/v1/credits/reservations'];

describeSelfDescription(() => credits.url, routes);

/** A user born by the first request of a token, as on plain Postgres. */
async function newUser(): Promise<{ user: string; token: string }> {
  const user = randomUUID();
  const token = await mintToken({ sub: user });
  await waitFor(async () => {
    const { body } = await call(credits.url, '/v1/credits/balance', { token });
    return balanceView.parse(body).granted;
  });
  return { user, token };
}

async function reserve(user: string, runs: number): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < runs; i += 1) {
    const run = randomUUID();
    await credits.database.query(`SELECT reserve_credits($1, $2, 1500000, $3, '1 hour')`, [
      user,
      run,
      `run:${run}`,
    ]);
    ids.push(run);
  }
  return ids;
}

describe('the account', () => {
  test('of a new user begins with the first grant', async () => {
    const { token } = await newUser();
    const { body } = await call(credits.url, '/v1/credits/balance', { token });
    expect(balanceView.parse(body)).toMatchObject({
      tier: 'free',
      available: '100',
      reserved: '0',
      overdraft_limit: '5',
      unlimited: false,
    });
  });

  test('shows holds and ledger in pages, newest first, and one run when asked', async () => {
    const { user, token } = await newUser();
    const runs = await reserve(user, 5);
    const read = (list: string) => readAllPages(credits.url, list, { token, limit: 2 });

    const holds = await read('/v1/credits/reservations');
    expect(holds.pages).toBe(3);
    const parsed = reservationPage.shape.items.parse(holds.items);
    expect(parsed.map(({ run_id }) => run_id)).toEqual(runs.toReversed());
    expect(parsed.at(-1)).toMatchObject({ status: 'active', held: '1.5' });
    expect(parsed[0]).toMatchObject({ status: 'waiting', held: '0' });

    const entries = transactionPage.shape.items.parse((await read('/v1/credits/transactions')).items);
    expect(entries.map(({ kind }) => kind)).toEqual(['reserve', 'grant']);
    expect(entries[0]).toMatchObject({ amount: '0', hold: '1.5', available_after: '98.5', run_id: runs[0] });

    const one = await call(credits.url, `/v1/credits/reservations?run_id=${runs[3]?.toUpperCase()}`, {
      token,
    });
    expect(reservationPage.parse(one.body).items.map(({ run_id }) => run_id)).toEqual([runs[3]]);
  });

  test('is not shown to another user', async () => {
    const [mine, theirs] = [await newUser(), await newUser()];
    const [run] = await reserve(mine.user, 1);
    for (const list of [...lists, `/v1/credits/reservations?run_id=${run}`]) {
      const { body } = await call(credits.url, list, { token: theirs.token });
      expect(JSON.stringify(body)).not.toContain(run);
    }
  });
});

test('the catalogue has four tiers and thirteen prices', async () => {
  const token = await mintToken();
  const tiers = tierList.parse((await call(credits.url, '/v1/credits/tiers', { token })).body).items;
  expect(
    tiers.map((tier) => [
      tier.code,
      tier.monthly_credits,
      tier.price_cents,
      tier.max_concurrent_runs,
      tier.max_parallel_items,
    ]),
  ).toEqual([
    ['free', '100', 0, 1, 5],
    ['pro', '1000', 1900, 3, 20],
    ['team', '5000', 4900, 10, 50],
    ['enterprise', null, null, null, null],
  ]);
  const prices = priceList.parse((await call(credits.url, '/v1/credits/prices', { token })).body).items;
  expect(prices).toHaveLength(13);
  expect(prices.find(({ operation }) => operation === 'code.execution')).toMatchObject({
    price: '0.1',
    per_quantity: '1000',
    unit: 'millisecond',
  });
});

describe('refuses', () => {
  test.each<[string, () => Promise<{ token?: string; authorization?: string }>]>([
    ['no token', async () => ({})],
    ['another scheme', async () => ({ authorization: 'Basic dXNlcjpwYXNz' })],
    ['a token that is none', async () => ({ token: 'not.a.token' })],
    ['an expired token', async () => ({ token: await mintToken({ expiresIn: '-1h' }) })],
    ['a token of another secret', async () => ({ token: await mintToken({ secret: `${testSecret}x` }) })],
    ['a token whose subject is no user', async () => ({ token: await mintToken({ sub: 'admin' }) })],
  ])('%s', async (_name, credentials) => {
    for (const route of routes) {
      expectProblem(await call(credits.url, route, await credentials()), 401, 'unauthorized');
    }
  });

  test.each(['limit=0', 'limit=101', 'limit=many', 'limit=1.5', 'cursor=', `cursor=${'x'.repeat(300)}`])(
    'the query %s',
    async (query) => {
      const token = await mintToken();
      for (const list of lists) {
        expectProblem(await call(credits.url, `${list}?${query}`, { token }), 400, 'invalid_request');
      }
    },
  );

  test('a cursor of its own making and a run that cannot be one', async () => {
    const token = await mintToken();
    for (const list of lists) {
      expectProblem(await call(credits.url, `${list}?cursor=garbage`, { token }), 400, 'invalid_cursor');
    }
    const odd = `/v1/credits/reservations?run_id=' OR true --`;
    expectProblem(await call(credits.url, odd, { token }), 400, 'invalid_request');
  });

  test('methods and paths that are not there', async () => {
    const token = await mintToken();
    for (const route of routes) {
      expectProblem(await call(credits.url, route, { token, method: 'POST' }), 404, 'not_found');
    }
  });
});
