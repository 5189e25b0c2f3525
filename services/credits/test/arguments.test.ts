import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { credits, expectNoDrift, expectState, type Ledger, openLedger } from './ledger-fixture.ts';

let ledger: Ledger;
beforeAll(async () => {
  ledger = await openLedger();
});
afterAll(() => ledger?.close());

const longKey = `'${'k'.repeat(201)}'`;

/** A call with good arguments, each of which a case may replace. `USER`, `HOLD`, `USED` and `GRANTED` are put in. */
const calls = {
  check_credits: { user: `USER`, operation: `'web.search'`, quantity: '1' },
  reserve_credits: {
    ...{ user: `USER`, run: 'gen_random_uuid()', amount: '1000000', key: `'key'`, ttl: `'1 hour'` },
    ...{ minimum: 'null', budget: 'null', purpose: `'run'` },
  },
  consume_credits: {
    ...{ hold: 'HOLD', key: `'key'`, operation: `'web.search'`, quantity: '1', step: 'gen_random_uuid()' },
    ...{ occurred: 'now()' },
  },
  extend_reservation: { hold: 'HOLD', amount: '1000000', key: `'key'` },
  release_credits: { hold: 'HOLD', key: `'key'`, reason: `'test'` },
  adjust_credits: {
    ...{ user: `USER`, kind: `'adjust'`, amount: '1', key: `'key'`, reason: `'test'`, reverses: 'null' },
  },
  grant_credits: {
    ...{ user: `USER`, source: `'promo'`, amount: '1', key: `'key'`, reason: `'test'`, expires: 'null' },
    priority: 'null',
  },
  change_tier: { user: `USER`, tier: `'pro'`, key: `'key'` },
} as const;
type Call = keyof typeof calls;

const badKeys: readonly [object, string][] = [
  [{ key: 'null' }, '22023'],
  [{ key: `''` }, '22023'],
  [{ key: longKey }, '22023'],
];
const nobody: [object, string] = [{ user: 'gen_random_uuid()' }, 'CR404'];
const noHold: readonly [object, string][] = [
  [{ hold: 'gen_random_uuid()' }, 'CR404'],
  [{ hold: 'null' }, 'CR404'],
];
const noQuantity: readonly [object, string][] = ['null', '-1', `'NaN'`, `'Infinity'`, '0.5'].map(
  (quantity) => [{ quantity }, '22023'],
);

/** What is replaced, and the SQLSTATE that it is refused with. */
const refused: Readonly<Record<Call, readonly (readonly [object, string])[]>> = {
  check_credits: [
    nobody,
    ...noQuantity,
    [{ operation: `'telepathy'` }, 'CR422'],
    [{ operation: 'null' }, 'CR422'],
    [{ quantity: '9223372036854775807' }, '22003'],
  ],
  reserve_credits: [
    nobody,
    ...badKeys,
    [{ run: 'null' }, '22023'],
    ...['null', '0', '-1'].map((amount) => [{ amount }, '22023'] as const),
    ...['null', `'0 s'`, `'-1 s'`].map((ttl) => [{ ttl }, '22023'] as const),
    [{ minimum: '-1' }, '22023'],
    [{ purpose: `'holiday'` }, '23514'],
    [{ purpose: 'null' }, '23502'],
  ],
  consume_credits: [
    ...noHold,
    ...badKeys,
    ...noQuantity,
    [{ quantity: '0' }, '22023'],
    [{ quantity: '9223372036854775807' }, '22003'],
    [{ quantity: '9223372036854775808' }, '22003'],
    [{ step: 'null' }, '22023'],
    [{ operation: `'telepathy'` }, 'CR422'],
    [{ operation: 'null' }, 'CR422'],
  ],
  extend_reservation: [
    ...noHold,
    ...badKeys,
    ...['null', '0', '-1'].map((amount) => [{ amount }, '22023'] as const),
  ],
  release_credits: [...noHold, ...badKeys],
  adjust_credits: [
    nobody,
    ...badKeys,
    ...['null', '0'].map((amount) => [{ amount }, '22023'] as const),
    [{ amount: '9223372036854775807' }, '22003'],
    ...['null', `'gift'`].map((kind) => [{ kind }, '22023'] as const),
    [{ reason: 'null' }, '22023'],
    [{ reverses: 'USED' }, '22023'],
    [{ kind: `'refund'` }, '22023'],
    [{ kind: `'refund'`, reverses: 'USED', amount: '-1' }, '22023'],
    [{ kind: `'refund'`, reverses: 'gen_random_uuid()' }, 'CR404'],
    [{ kind: `'refund'`, reverses: 'GRANTED' }, 'CR404'],
  ],
  grant_credits: [
    nobody,
    ...badKeys,
    ...['null', '0', '-1'].map((amount) => [{ amount }, '22023'] as const),
    [{ amount: '9223372036854775807' }, '22003'],
    ...['null', `'monthly'`, `'adjust'`].map((source) => [{ source }, '22023'] as const),
    [{ reason: 'null' }, '22023'],
    ...['-1', '101'].map((priority) => [{ priority }, '22023'] as const),
    [{ expires: `now() - interval '1 s'` }, '22023'],
  ],
  change_tier: [nobody, ...badKeys, [{ tier: `'gold'` }, 'CR404'], [{ tier: 'null' }, 'CR404']],
};

const callOf = (name: Call, replaced: object = {}): string =>
  `SELECT * FROM ${name}(${Object.values({ ...calls[name], ...replaced }).join(', ')})`;

/** An account with a live hold and an entry of usage. */
async function account() {
  const user = await ledger.account({ tier: 'pro' });
  const { reservation_id: hold } = await ledger.reserve(user);
  const { transaction_id: used } = await ledger.consume(hold, { quantity: 2 });
  const [granted] = await ledger.clone.query<{ id: string }>(
    `SELECT id FROM credit_transactions WHERE user_id = $1 AND kind = 'grant' LIMIT 1`,
    [user],
  );
  const ask = (call: string) =>
    ledger.clone.query(
      call
        .replaceAll('USER', `'${user}'::uuid`)
        .replaceAll('HOLD', `'${hold}'::uuid`)
        .replaceAll('USED', `'${used}'::uuid`)
        .replaceAll('GRANTED', `'${granted?.id}'::uuid`),
    );
  return { user, ask };
}
/** All that a call could have left behind. */
const everything = () =>
  ledger.clone.query(
    `SELECT (SELECT sum(hashtextextended(b::text, 0)) FROM credit_balances b) AS balances,
            (SELECT sum(hashtextextended(r::text, 0)) FROM credit_reservations r) AS reservations,
            (SELECT sum(hashtextextended(g::text, 0)) FROM credit_grants g) AS grants,
            (SELECT sum(hashtextextended(s::text, 0)) FROM user_subscriptions s) AS subscriptions,
            (SELECT count(*) FROM credit_transactions) AS entries, (SELECT count(*) FROM credit_idempotency) AS keys,
            (SELECT count(*) FROM event_outbox) AS events`,
  );

const everyRefusal = Object.entries(refused).flatMap(([name, cases]) =>
  cases.map(([replaced, state]) => [name as Call, replaced, state] as const),
);
const shown = everyRefusal.map(
  ([name, replaced, state]) => [name, JSON.stringify(replaced).slice(0, 60), state, replaced] as const,
);

describe('refuses, and leaves everything as it was', () => {
  let asked: Awaited<ReturnType<typeof account>>;
  beforeAll(async () => {
    asked = await account();
  });

  test.each(shown)('%s with %s: %s', async (name, _shown, state, replaced) => {
    const before = await everything();
    await expectState(asked.ask(callOf(name, replaced)), state);
    expect(await everything()).toEqual(before);
  });
});

describe('takes', () => {
  test.each([
    ['reserve_credits', { minimum: '0' }],
    ['reserve_credits', { key: `'${'k'.repeat(200)}'` }],
    ['reserve_credits', { budget: '1' }],
    ['consume_credits', { occurred: 'null' }],
    ['consume_credits', { key: `'k'`, quantity: '1.000' }],
    ['grant_credits', { priority: '0' }],
    ['grant_credits', { priority: '100' }],
    ['adjust_credits', { amount: '-1' }],
    ['adjust_credits', { kind: `'refund'`, reverses: 'USED' }],
    ['release_credits', { reason: 'null' }],
    ['check_credits', { quantity: '0' }],
  ] as const)('%s with %o, with one answer', async (name, replaced) => {
    const { user, ask } = await account();
    expect(await ask(callOf(name, replaced))).toHaveLength(1);
    await expectNoDrift(ledger, user);
  });
});

const keyed = Object.keys(calls).filter((name) => name !== 'check_credits') as Call[];

describe('takes no key for another request', () => {
  test.each(keyed)('%s', async (name) => {
    const { user, ask } = await account();
    // Whoever had the key first, it is not this one's.
    const [first] = keyed.filter((other) => other !== name);
    await ask(callOf(first ?? name));
    const before = await everything();
    await expectState(ask(callOf(name)), 'CR409');
    expect(await everything()).toEqual(before);
    await expectNoDrift(ledger, user);
  });

  test.each([
    [
      'reserve_credits',
      { run: `'${randomUUID()}'` },
      [
        { amount: '2000000' },
        { minimum: '1' },
        { budget: '5' },
        { purpose: `'research'` },
        { run: 'gen_random_uuid()' },
      ],
    ],
    [
      'consume_credits',
      { step: `'${randomUUID()}'` },
      [{ quantity: '2' }, { operation: `'connector.call'` }, { step: 'gen_random_uuid()' }],
    ],
    ['extend_reservation', {}, [{ amount: '1' }]],
    ['adjust_credits', {}, [{ amount: '2' }, { amount: '1', kind: `'refund'`, reverses: 'USED' }]],
    [
      'grant_credits',
      {},
      [{ amount: '2' }, { source: `'trial'` }, { priority: '7' }, { expires: `'2199-01-01Z'` }],
    ],
    ['change_tier', {}, [{ tier: `'team'` }]],
  ] as const)('%s', async (name, same, others) => {
    const { user, ask } = await account();
    await ask(callOf(name, same));
    const before = await everything();
    expect(await ask(callOf(name, same))).toMatchObject([{ status: 'replayed' }]);
    for (const other of others) await expectState(ask(callOf(name, { ...same, ...other })), 'CR409');
    expect(await everything()).toEqual(before);
    await expectNoDrift(ledger, user);
  });

  test('of another account, whose key it is, it does', async () => {
    const [one, two] = [await account(), await account()];
    for (const { ask } of [one, two]) {
      const before = await ledger.balance(one.user);
      expect(await ask(callOf('grant_credits', { amount: String(credits(1)) }))).toMatchObject([
        { status: 'granted' },
      ]);
      expect(await ask(callOf('consume_credits', { key: `'other'` }))).toMatchObject([
        { status: 'consumed', cost: credits(1) },
      ]);
      if (ask === two.ask) expect(await ledger.balance(one.user)).toEqual(before);
    }
  });
});
