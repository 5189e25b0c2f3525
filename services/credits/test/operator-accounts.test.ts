import { randomUUID } from 'node:crypto';
import {
  accountDetail,
  auditEntry,
  auditPage,
  driftList,
} from '@swissbrain/shared-schema/http/credit-operators';
import { transactionPage } from '@swissbrain/shared-schema/http/credits';
import { call, expectProblem, readAllPages } from '@swissbrain/testkit/http-cases';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeRefusals, type Endpoint, newUser, operatorToken, post } from './api-fixture.ts';
import { type CreditsUnderTest, startCredits } from './service-fixture.ts';

let credits: CreditsUnderTest;
const operator = randomUUID();
let token: string;
beforeAll(async () => {
  credits = await startCredits();
  token = await operatorToken(operator);
});
afterAll(() => credits?.stop());

const pathOf = (user: string, more = '') => `/v1/admin/accounts/${user}${more}`;
const act = (path: string, body: object, key?: string) =>
  post(credits.url, path, { token, body, ...(key === undefined ? {} : { key }) });
async function done(path: string, body: object, key?: string) {
  const answer = await act(path, body, key);
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  return auditEntry.parse(answer.body);
}
const look = async (user: string) =>
  accountDetail.parse((await call(credits.url, pathOf(user), { token })).body);

/** Uses something and returns the entry of the ledger that says so. */
async function use(user: string, searches: number): Promise<string> {
  const run = randomUUID();
  const [held] = await credits.database.query<{ id: string }>(
    `SELECT reservation_id AS id FROM reserve_credits($1, $2, 50000000, $3, '1 hour')`,
    [user, run, `run:${run}`],
  );
  const [entry] = await credits.database.query<{ id: string }>(
    `SELECT transaction_id AS id FROM consume_credits($1, $2, 'web.search', $3, $4, now())`,
    [held?.id, randomUUID(), searches, randomUUID()],
  );
  await credits.database.query(`SELECT release_credits($1, $2, 'test')`, [held?.id, randomUUID()]);
  return entry?.id ?? '';
}

/** What the audit has on an account, oldest first, but for looks at it. */
async function changesOf(user: string) {
  const { items } = await readAllPages(credits.url, `/v1/admin/audit?user_id=${user}`, { token, limit: 100 });
  return auditPage.shape.items
    .parse(items)
    .toReversed()
    .filter(({ after }) => after !== null);
}

describe('an operator', () => {
  test('grants credits of every kind, and what was given is burnt before what was bought', async () => {
    const { user } = await newUser(credits.url);
    for (const kind of ['purchase', 'promotional', 'trial', 'correction']) {
      const entry = await done(pathOf(user, '/grants'), { kind, amount: '10.5', reason: 'a gift' });
      expect(entry).toMatchObject({ operator_id: operator, action: 'account.grant', user_id: user });
      expect(entry.after).toMatchObject({ kind, amount: '10.5' });
    }
    const { available, grants } = await look(user);
    expect(available).toBe('142');
    expect(grants.map(({ source }) => source)).toEqual(['promo', 'trial', 'monthly', 'adjust', 'top_up']);
  });

  test('takes back and corrects, never more than there is', async () => {
    const { user } = await newUser(credits.url);
    expectProblem(
      await act(pathOf(user, '/adjustments'), { amount: '-100.000001', reason: 'too much' }),
      409,
      'credits_insufficient',
    );
    const entry = await done(pathOf(user, '/adjustments'), { amount: '-40', reason: 'double count' });
    expect(entry.before).toMatchObject({ available: '100' });
    expect(entry.after).toMatchObject({ available: '60', amount: '-40' });
    expect((await changesOf(user)).map(({ id }) => id)).toEqual([entry.id]);
  });

  test('takes a grant back; what a hold pins of it can be taken when that has ended', async () => {
    const { user } = await newUser(credits.url);
    const grant = (await look(user)).grants[0]?.id ?? '';
    const revoke = () => done(pathOf(user, `/grants/${grant}/revoke`), { reason: 'by mistake' });
    const [held] = await credits.database.query<{ id: string }>(
      `SELECT reservation_id AS id FROM reserve_credits($1, $2, 30000000, 'k', '1 hour')`,
      [user, randomUUID()],
    );
    expect(await revoke()).toMatchObject({
      before: { remaining: '100' },
      after: { remaining: '30', available: '0' },
    });
    await credits.database.query(`SELECT release_credits($1, 'r', 'test')`, [held?.id]);
    expect(await revoke()).toMatchObject({
      before: { available: '30' },
      after: { remaining: '0', available: '0' },
    });
    expect(await credits.database.query('SELECT * FROM verify_credits($1)', [user])).toEqual([]);
  });

  test('refunds usage, never above what it cost', async () => {
    const { user } = await newUser(credits.url);
    const entry = await use(user, 10);
    const refund = (amount?: string) =>
      act(pathOf(user, '/refunds'), {
        transaction_id: entry,
        reason: 'it failed',
        ...(amount ? { amount } : {}),
      });
    expectProblem(await refund('10.000001'), 409, 'refund_exceeds_original');
    expect((await refund('4')).status).toBe(200);
    expectProblem(await refund('6.000001'), 409, 'refund_exceeds_original');
    expect(auditEntry.parse((await refund()).body).after).toMatchObject({ amount: '6', available: '100' });
    expectProblem(await refund(), 409, 'refund_exceeds_original');
    expect((await changesOf(user)).map(({ action }) => action)).toEqual(['account.refund', 'account.refund']);
  });

  test('changes the tier: up at once, down at the end of the period or at once', async () => {
    const { user, token: own } = await newUser(credits.url);
    const change = (tier: string, downgrade = 'at_period_end') =>
      done(pathOf(user, '/tier'), { tier, downgrade, reason: 'agreed' });
    expect((await change('team')).after).toMatchObject({
      tier: 'team',
      change: 'upgraded',
      available: '5000',
    });
    expect((await change('pro')).after).toMatchObject({
      tier: 'team',
      next_tier: 'pro',
      change: 'scheduled',
    });
    expect((await change('team')).after).toMatchObject({ next_tier: null, change: 'unchanged' });
    expect((await change('free', 'at_once')).after).toMatchObject({ tier: 'free', change: 'downgraded' });
    const facts = await credits.database.query<{ change: string }>(
      `SELECT data ->> 'change' AS change FROM event_outbox WHERE user_id = $1 AND type = 'subscription.changed'
       ORDER BY aggregate_seq`,
      [user],
    );
    expect(facts.map((fact) => fact.change)).toEqual([
      'upgraded',
      'downgrade_scheduled',
      'change_withdrawn',
      'cancelled',
    ]);
    const ledger = transactionPage.parse(
      (await call(credits.url, '/v1/credits/transactions', { token: own })).body,
    );
    expect(ledger.items.map(({ kind }) => kind)).toEqual(['grant', 'grant']);
  });

  test('verifies an account', async () => {
    const { user } = await newUser(credits.url);
    const drift = async () =>
      driftList.parse((await call(credits.url, pathOf(user, '/drift'), { token })).body).items;
    expect(await drift()).toEqual([]);
    await credits.database.query(
      'UPDATE credit_balances SET credited_micro = credited_micro + 7 WHERE user_id = $1',
      [user],
    );
    expect(await drift()).toEqual(
      expect.arrayContaining([
        {
          user_id: user,
          invariant: 'money is the sum of entries',
          expected: '100000000',
          found: '100000007',
          transaction_id: null,
        },
      ]),
    );
  });
});

describe('the audit', () => {
  test('has one row for each change, whatever is asked twice, and one for each look', async () => {
    const { user } = await newUser(credits.url);
    const key = randomUUID();
    const body = { kind: 'trial', amount: '5', reason: 'welcome' };
    const first = await act(pathOf(user, '/grants'), body, key);
    const answers = await Promise.all([1, 2, 3].map(() => act(pathOf(user, '/grants'), body, key)));
    for (const answer of answers) {
      expect(answer.body).toEqual(first.body);
      expect(answer.headers.get('idempotency-replayed')).toBe('true');
    }
    expectProblem(
      await act(pathOf(user, '/grants'), { ...body, amount: '6' }, key),
      409,
      'request_key_reused',
    );
    expectProblem(
      await act(pathOf(user, '/tier'), { tier: 'pro', reason: 'r' }, key),
      409,
      'request_key_reused',
    );
    expect((await look(user)).available).toBe('105');
    const rows = await credits.database.query<{ action: string; operator_id: string }>(
      'SELECT action, operator_id FROM credit_audit WHERE user_id = $1 ORDER BY created_at',
      [user],
    );
    expect(rows).toEqual([
      { action: 'account.grant', operator_id: operator },
      { action: 'account.show', operator_id: operator },
    ]);
  });

  test('and racing requests under one key change once', async () => {
    const { user } = await newUser(credits.url);
    const key = randomUUID();
    const race = await Promise.all(
      Array.from({ length: 6 }, () =>
        act(pathOf(user, '/adjustments'), { amount: '1', reason: 'race' }, key),
      ),
    );
    expect(new Set(race.map(({ body }) => auditEntry.parse(body).id)).size).toBe(1);
    expect((await look(user)).available).toBe('101');
  });

  test('has nothing of what was refused', async () => {
    const { user } = await newUser(credits.url);
    await act(pathOf(user, '/adjustments'), { amount: '-1000', reason: 'too much' });
    await act(pathOf(user, '/refunds'), { transaction_id: randomUUID(), reason: 'nothing there' });
    expect(await changesOf(user)).toEqual([]);
  });

  test('every change of an account by an operator is beside its row, with the request it came by', async () => {
    const { user } = await newUser(credits.url);
    const entry = await use(user, 3);
    const actions: [string, object][] = [
      ['/grants', { kind: 'promotional', amount: '2', expires_at: '2199-01-01T00:00:00Z', reason: 'a' }],
      ['/adjustments', { amount: '3', reason: 'b' }],
      ['/refunds', { transaction_id: entry, amount: '1', reason: 'c' }],
      ['/tier', { tier: 'pro', reason: 'd' }],
    ];
    for (const [path, body] of actions) {
      const before = await look(user);
      await call(credits.url, pathOf(user, path), {
        ...{ token, body, method: 'POST' },
        headers: { 'idempotency-key': randomUUID(), 'x-request-id': `request-${path.slice(1)}` },
      });
      const row = (await changesOf(user)).at(-1);
      expect(row).toMatchObject({ request_id: `request-${path.slice(1)}`, target: user });
      expect(row?.before).toMatchObject({ available: before.available, tier: before.tier });
      expect(row?.after).toMatchObject({ available: (await look(user)).available });
    }
    expect(await changesOf(user)).toHaveLength(actions.length);
  });

  test('cannot be rewritten', async () => {
    const denied = { code: '42501' };
    for (const statement of ['DELETE FROM credit_audit', 'UPDATE credit_audit SET reason = NULL']) {
      await expect(
        credits.database
          .query(`SET ROLE sb_credits; ${statement}`)
          .finally(() => credits.database.query('RESET ROLE')),
      ).rejects.toMatchObject(denied);
    }
  });

  test('is listed by cursor, newest first', async () => {
    const { user } = await newUser(credits.url);
    for (const amount of ['1', '2', '3'])
      await done(pathOf(user, '/adjustments'), { amount, reason: amount });
    const first = auditPage.parse(
      (await call(credits.url, `/v1/admin/audit?limit=2&user_id=${user}`, { token })).body,
    );
    expect(first.items.map(({ reason }) => reason)).toEqual(['3', '2']);
    const second = auditPage.parse(
      (
        await call(credits.url, `/v1/admin/audit?limit=2&user_id=${user}&cursor=${first.next_cursor}`, {
          token,
        })
      ).body,
    );
    expect(second.items.map(({ reason }) => reason)).toEqual(['1']);
    expect(second.next_cursor).toBeNull();
  });
});

describe('refuses', () => {
  const someone = pathOf(randomUUID());
  const reason = 'why';
  const grant = { kind: 'trial', amount: '5', reason };
  const refund = { transaction_id: randomUUID(), reason };
  const endpoints: Endpoint[] = [
    { method: 'GET', path: someone },
    { method: 'GET', path: `${someone}/drift` },
    { method: 'GET', path: '/v1/admin/audit' },
    {
      ...{ method: 'POST', path: `${someone}/grants`, body: grant },
      badBodies: [
        ...['0', '-1', '1.0000001', 'NaN', '1e3', '', 5, null].map((amount) => ({ ...grant, amount })),
        { ...grant, kind: 'monthly' },
        { ...grant, reason: ' ' },
        { ...grant, expires_at: 'tomorrow' },
      ],
    },
    {
      ...{ method: 'POST', path: `${someone}/adjustments`, body: { amount: '-5', reason } },
      badBodies: ['0', '0.000000', '--1', '9'.repeat(20)].map((amount) => ({ amount, reason })),
    },
    {
      ...{ method: 'POST', path: `${someone}/refunds`, body: refund },
      badBodies: [
        { ...refund, amount: '-1' },
        { ...refund, transaction_id: "' OR true --" },
      ],
    },
    { method: 'POST', path: `${someone}/grants/${randomUUID()}/revoke`, body: { reason } },
    {
      ...{ method: 'POST', path: `${someone}/tier`, body: { tier: 'pro', reason } },
      badBodies: [
        { tier: 'PRO', reason },
        { tier: 'pro', downgrade: 'never', reason },
      ],
    },
  ];
  describeRefusals(
    () => credits.url,
    endpoints.map((endpoint) => ({ ...endpoint, operator: true })),
  );

  test('what is not there, and what is another account’s', async () => {
    const [mine, theirs] = [await newUser(credits.url), await newUser(credits.url)];
    const entry = await use(theirs.user, 1);
    const grantOfThem = (await look(theirs.user)).grants[0]?.id ?? '';
    const at = (path: string) => pathOf(mine.user, path);
    expectProblem(await act(at('/refunds'), { transaction_id: entry, reason }), 404, 'entry_not_found');
    expectProblem(await act(at(`/grants/${grantOfThem}/revoke`), { reason }), 404, 'grant_not_found');
    expectProblem(await act(at('/tier'), { tier: 'platinum', reason }), 404, 'tier_not_found');
    expectProblem(
      await act(at('/grants'), { ...grant, expires_at: '2020-01-01T00:00:00Z' }),
      422,
      'amount_invalid',
    );
    expectProblem(await act(pathOf(randomUUID(), '/grants'), grant), 404, 'account_pending');
    expectProblem(await call(credits.url, pathOf(randomUUID()), { token }), 404, 'account_not_found');
    expectProblem(await call(credits.url, pathOf('me'), { token }), 400, 'invalid_request');
    expectProblem(await call(credits.url, '/v1/admin/audit?cursor=x', { token }), 400, 'invalid_cursor');
  });
});
