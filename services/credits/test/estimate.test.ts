import { randomUUID } from 'node:crypto';
import { estimateView } from '@swissbrain/shared-schema/http/credits';
import { estimateRun } from '@swissbrain/shared-schema/rpc/agent-runner';
import { rpcSubject } from '@swissbrain/shared-schema/rpc/definition';
import { call, expectProblem } from '@swissbrain/testkit/http-cases';
import { mintToken, testSecret } from '@swissbrain/testkit/tokens';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newUser } from './api-fixture.ts';
import { type CreditsUnderTest, startCredits } from './service-fixture.ts';

let credits: CreditsUnderTest;
beforeAll(async () => {
  credits = await startCredits();
});
afterAll(() => credits?.stop());

const path = '/v1/credits/estimate';
const playbook = { name: 'Two searches', steps: [{ id: 'a', tool: 'llm', with: { prompt: 'hello' } }] };
const ask = (token: string, body: unknown) => call(credits.url, path, { token, method: 'POST', body });
async function estimate(token: string, body: object) {
  const answer = await ask(token, body);
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  return estimateView.parse(answer.body);
}

/** Answers as agent-runner would, until the test is over. */
async function withRunner<T>(reply: object, work: () => Promise<T>): Promise<T> {
  const subscription = credits.connection.subscribe(rpcSubject(estimateRun), {
    callback: (_error, message) => {
      message.respond(JSON.stringify(reply));
    },
  });
  await credits.connection.flush();
  try {
    return await work();
  } finally {
    subscription.unsubscribe();
  }
}
const usage = [
  { operation: 'llm.gpt-4-turbo.input', quantity: '1001' },
  { operation: 'llm.unheard-of.output', quantity: '10000' },
];

describe('an estimate', () => {
  test('of a playbook is the most it may use, at the prices of now', async () => {
    const { token } = await newUser(credits.url);
    await withRunner({ usage }, async () => {
      expect(await estimate(token, { playbook })).toEqual({
        lines: [
          { ...usage[0], cost: '0.3003' },
          { ...usage[1], cost: '6' },
        ],
        ...{ low: null, likely: null, worst: '6.3003', hold: '6.3003', allowed: true, reason: 'ok' },
        ...{ waits: false, available: '100', tier: 'free', parallel_items: null },
      });
      expect(await estimate(token, { playbook, budget: '2.5' })).toMatchObject({ worst: '2.5', hold: '2.5' });
    });
  });

  test('of a goal is a start, which only a budget bounds', async () => {
    const { token } = await newUser(credits.url);
    await withRunner({ usage }, async () => {
      expect(await estimate(token, { goal: 'g' })).toMatchObject({ worst: null, hold: '6.3003' });
      expect(await estimate(token, { goal: 'g', budget: '20' })).toMatchObject({
        worst: '20',
        hold: '6.3003',
      });
    });
  });

  test('of a research counts its items, and says how many the tier works on at a time', async () => {
    const { token } = await newUser(credits.url);
    expect(await estimate(token, { research: { items: 10 } })).toMatchObject({
      lines: [{ operation: 'wide_research.item', quantity: '10', cost: '50' }],
      ...{ hold: '50', allowed: true, parallel_items: 5 },
    });
  });

  test('says when there is too little, when it would wait, and when there is no subscription', async () => {
    const { user, token } = await newUser(credits.url);
    const research = { items: 1 };
    await credits.database.query(`SELECT reserve_credits($1, $2, 1000000, 'k', '1 hour')`, [
      user,
      randomUUID(),
    ]);
    expect(await estimate(token, { research })).toMatchObject({
      allowed: true,
      waits: true,
      available: '99',
    });
    await credits.database.query(`SELECT adjust_credits($1, 'adjust', -98500000, 'a', 'test')`, [user]);
    expect(await estimate(token, { research })).toMatchObject({
      ...{ allowed: false, reason: 'insufficient', hold: null, waits: false, available: '0.5' },
    });
    await credits.database.query('SELECT close_account($1)', [user]);
    expect(await estimate(token, { research })).toMatchObject({ allowed: false, reason: 'no_subscription' });
  });

  test('learns from the caller’s runs, and from nobody else’s', async () => {
    const [mine, theirs] = [await newUser(credits.url), await newUser(credits.url)];
    for (const searches of [1, 2, 2, 4, 5]) {
      const run = randomUUID();
      await credits.database.query(`SELECT reserve_credits($1, $2, 10000000, $3, '1 hour')`, [
        mine.user,
        run,
        run,
      ]);
      const of = `(SELECT id FROM credit_reservations WHERE run_id = $1)`;
      const keys = [run, randomUUID(), randomUUID()];
      await credits.database.query(
        `SELECT consume_credits(${of}, $2, 'web.search', ${searches}, $3, now())`,
        keys,
      );
      await credits.database.query(`SELECT release_credits(${of}, $2, 'test')`, [run, randomUUID()]);
    }
    const body = { research: { items: 4 } };
    expect(await estimate(mine.token, body)).toMatchObject({ low: '2', likely: '4' });
    expect(await estimate(theirs.token, body)).toMatchObject({ low: null, likely: null });
  });
});

describe('refuses', () => {
  test('tokens that are not good', async () => {
    const body = { research: { items: 1 } };
    expectProblem(await call(credits.url, path, { method: 'POST', body }), 401, 'unauthorized');
    expectProblem(await ask(await mintToken({ expiresIn: '-1h' }), body), 401, 'unauthorized');
    expectProblem(await ask(await mintToken({ secret: `${testSecret}x` }), body), 401, 'unauthorized');
  });

  test.each([
    ['nothing to do', {}],
    ['two things', { goal: 'g', research: { items: 1 } }],
    ['no items', { research: { items: 0 } }],
    ['items by name', { research: { items: 'ten' } }],
    ['a playbook without steps', { playbook: { name: 'n', steps: [] } }],
    ['a budget below zero', { goal: 'g', budget: '-1' }],
    ['what it does not know', { goal: 'g', mood: 'good' }],
    ['a list', []],
  ])('%s', async (_name, body) => {
    expectProblem(await ask(await mintToken(), body), 400, 'invalid_request');
  });

  test('a body that is too large, and says so when agent-runner is not there', async () => {
    const { token } = await newUser(credits.url);
    expectProblem(await ask(token, { goal: 'g'.repeat(1_100_000) }), 413, 'body_too_large');
    expectProblem(await ask(token, { goal: 'g' }), 503, 'rpc_unavailable');
  });
});
