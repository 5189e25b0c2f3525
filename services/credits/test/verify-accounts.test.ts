import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { credits } from './ledger-fixture.ts';
import { type Finding, openVerifiedLedger, type VerifiedLedger } from './verify-fixture.ts';

let ledger: VerifiedLedger['ledger'];
let client: VerifiedLedger['client'];
let user: string;
let behindItsBack: VerifiedLedger['behindItsBack'];
let close: VerifiedLedger['close'] | undefined;
beforeAll(async () => {
  ({ ledger, client, user, behindItsBack, close } = await openVerifiedLedger());
});
afterAll(() => close?.());

describe('many accounts in one pass', () => {
  /** An account with two holds, a key that others have too, a refund of all that was charged, and a refused extension. */
  const open = async () => {
    const owner = await ledger.account({ tier: 'pro' });
    const small = await ledger.reserve(owner, { amount: credits(5) });
    const usage = await ledger.consume(small.reservation_id, { key: 'the same', quantity: 2 });
    const large = await ledger.reserve(owner, { amount: credits(9) });
    const other = await ledger.consume(large.reservation_id);
    await ledger.adjust(owner, credits(2), { reverses: usage.transaction_id, key: 'the refund' });
    await ledger.extend(large.reservation_id, credits(1_000_000), 'the refused');
    return { owner, usage: usage.transaction_id, other: other.transaction_id };
  };
  type Account = Awaited<ReturnType<typeof open>>;
  let one: Account;
  let two: Account;
  beforeAll(async () => {
    one = await open();
    two = await open();
  });
  const findings = (sql: string, params: readonly unknown[]) =>
    behindItsBack(async () => {
      await client.query(sql, [...params]);
      const owners = [user, one.owner, two.owner];
      const { rows } = await client.query('SELECT * FROM verify_accounts($1)', [owners]);
      const alone = [];
      for (const owner of owners.toSorted()) {
        const found = await client.query<Finding>('SELECT * FROM verify_credits($1)', [owner]);
        alone.push(...found.rows.map((row) => ({ user_id: owner, ...row })));
      }
      expect(rows).toEqual(alone);
      return alone;
    });
  const keyIsThere = 'the entry of a key is there and as the key remembers it';
  const hasKey = 'an entry of a request has its key';
  const refund = 'a refund is at most what was charged';

  const grantOf = async () =>
    (
      await client.query<{ id: string }>(
        `SELECT id FROM credit_transactions WHERE user_id = $1 AND kind = 'grant' LIMIT 1`,
        [one.owner],
      )
    ).rows[0]?.id;

  test('are all told to be right', async () => expect(await findings('SELECT', [])).toEqual([]));

  test('are told apart, each as when it is alone', async () => {
    const found = await findings(
      `WITH gone AS (DELETE FROM credit_idempotency WHERE user_id = $1 AND key = 'the same')
       UPDATE credit_balances SET debited_micro = debited_micro + 1 WHERE user_id = $2`,
      [one.owner, two.owner],
    );
    expect(found).toContainEqual(expect.objectContaining({ user_id: one.owner, invariant: hasKey }));
    expect(found).toContainEqual(
      expect.objectContaining({ user_id: two.owner, invariant: 'debited is the sum of what went' }),
    );
    expect(new Set(found.map(({ user_id }) => user_id))).toEqual(new Set([one.owner, two.owner]));
  });

  test('usage is of its own hold, not of another', async () => {
    expect(
      await findings('UPDATE credit_transactions SET hold_left_micro = 4000000 WHERE id = $1', [one.other]),
    ).toEqual([
      {
        user_id: one.owner,
        invariant: 'usage leaves of its hold what was held less what was used',
        ...{ expected: '8000000', found: '4000000', transaction_id: one.other },
      },
    ]);
  });

  test.each([
    ['of usage of somebody else', async () => two.usage],
    ['of no usage', grantOf],
  ])('a refund is not %s', async (_, reverses) => {
    expect(
      await findings(
        `UPDATE credit_transactions SET reverses_id = $2 WHERE user_id = $1 AND kind = 'refund'`,
        [one.owner, await reverses()],
      ),
    ).toEqual([expect.objectContaining({ invariant: refund, expected: null, found: '2000000' })]);
  });

  test.each([
    ['no entry', () => randomUUID()],
    ['an entry of somebody else', () => two.usage],
  ])('a key names its entry, not %s', async (_, named) => {
    const id = named();
    expect(
      await findings(
        `UPDATE credit_idempotency SET transaction_id = $2 WHERE user_id = $1 AND key = 'the same'`,
        [one.owner, id],
      ),
    ).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ invariant: keyIsThere, transaction_id: id }),
        expect.objectContaining({ invariant: hasKey, transaction_id: one.usage }),
      ]),
    );
  });

  test('an entry names its key', async () => {
    expect(
      await findings(`UPDATE credit_transactions SET idempotency_key = 'another' WHERE id = $1`, [one.usage]),
    ).toContainEqual(expect.objectContaining({ invariant: keyIsThere, transaction_id: one.usage }));
  });
});

describe('an account that has seen much', () => {
  /** Debt that a grant repaid, usage written off, a grant that expired in part, and debt that is still there. */
  const open = async () => {
    const owner = await ledger.account();
    const { reservation_id } = await ledger.reserve(owner, { amount: credits(90) });
    await ledger.consume(reservation_id, { quantity: 103 });
    await ledger.release(reservation_id);
    await ledger.grant(owner, credits(10), { source: 'promo', expires: '1 day' });
    await client.query(
      'UPDATE credit_grants SET expires_at = now() WHERE user_id = $1 AND remaining_micro > 0',
      [owner],
    );
    await client.query('SELECT expire_grants_due(100)');
    const second = await ledger.account();
    const hold = await ledger.reserve(second, { amount: credits(100) });
    await ledger.consume(hold.reservation_id, { quantity: 300 });
    await ledger.release(hold.reservation_id);
    return [owner, second];
  };
  let owners: string[];
  beforeAll(async () => {
    owners = [...(await open()), await ledger.account({ tier: 'enterprise' })];
    const states = await client.query(
      `SELECT debt_micro > 0 AS indebted, exists(SELECT FROM credit_transactions t WHERE t.user_id = b.user_id
         AND kind = 'expire_grant') AS expired FROM credit_balances b WHERE user_id = ANY ($1) ORDER BY 1, 2`,
      [owners],
    );
    expect(states.rows).toEqual([
      { indebted: false, expired: false },
      { indebted: false, expired: true },
      { indebted: true, expired: false },
    ]);
  });
  const verified = (sql: string, params: readonly unknown[]) =>
    behindItsBack(async () => {
      for (const statement of sql.split(';'))
        await client.query(statement, statement.includes('$1') ? [...params] : []);
      const { rows } = await client.query('SELECT * FROM verify_accounts($1)', [owners]);
      return rows as (Finding & { user_id: string })[];
    });

  test('is told to be right', async () => expect(await verified('SELECT', [])).toEqual([]));

  test('a grant that expired was there', async () => {
    expect(
      await verified(
        `UPDATE credit_transactions SET grant_id = gen_random_uuid() WHERE user_id = $1 AND kind = 'expire_grant'`,
        [owners[0]],
      ),
    ).toContainEqual(expect.objectContaining({ invariant: 'the grant of an entry is there' }));
  });

  test('a grant of these accounts has not more left than was granted, also where no constraint keeps it', async () => {
    const raise = `ALTER TABLE credit_grants DROP CONSTRAINT credit_grants_remaining_within;
      UPDATE credit_grants SET remaining_micro = amount_micro + 1 WHERE user_id = $1`;
    expect(await verified(raise, [owners[0]])).toContainEqual(
      expect.objectContaining({ invariant: expect.stringMatching(/^grant .* is within its amount$/) }),
    );
    expect(await verified(raise, [user])).toEqual([]);
  });

  test('an account is not below its floor, also where no constraint keeps it', async () => {
    expect(
      await verified(
        `ALTER TABLE credit_balances DROP CONSTRAINT credit_balances_whole;
         UPDATE credit_balances SET debited_micro = debited_micro + 1 WHERE user_id = $1`,
        [owners[1]],
      ),
    ).toContainEqual(
      expect.objectContaining({
        ...{ invariant: 'the balance is not below its floor', expected: '-5000000', found: '-5000001' },
      }),
    );
  });
});

describe('live runs are within the tier they were admitted under:', () => {
  const claim = 'live runs are within the tier they were admitted under';
  let owner: string;
  let holds: string[];
  beforeAll(async () => {
    owner = await ledger.account({ tier: 'pro' });
    const reserved = [];
    for (let nth = 0; nth < 3; nth += 1) reserved.push(await ledger.reserve(owner));
    holds = reserved.map(({ reservation_id }) => reservation_id);
  });
  /** What is found on Free, which has a place for one, since long ago or so. */
  const onFree = (since: string, change = 'SELECT $1::uuid[]') =>
    behindItsBack(async () => {
      await client.query(
        `UPDATE user_subscriptions SET tier_code = 'free', tier_effective_from = ${since} WHERE user_id = $1`,
        [owner],
      );
      await client.query(change, [holds.slice(1)]);
      const { rows } = await client.query<Finding>('SELECT * FROM verify_credits($1)', [owner]);
      return rows.find(({ invariant }) => invariant === claim) ?? null;
    });
  const entries = `(SELECT created_at FROM credit_transactions WHERE kind = 'reserve' AND reservation_id = `;

  test('three in the place of one', async () =>
    expect(await onFree(`'2020-01-01Z'`)).toMatchObject({ expected: '1', found: '3' }));
  test('two since the very moment that the first of them came', async () =>
    expect(await onFree(`${entries}'${holds[1]}')`)).toMatchObject({ expected: '1', found: '2' }));

  test.each([
    ['that came before the tier', 'now()', undefined],
    ['of a subscription that has ended', `'2020-01-01Z', status = 'ended', ended_at = now()`, undefined],
    [
      'that are over',
      `'2020-01-01Z'`,
      `UPDATE credit_reservations SET expires_at = now() - interval '1 hour' WHERE id = ANY ($1)`,
    ],
    [
      'of research',
      `'2020-01-01Z'`,
      `UPDATE credit_reservations SET purpose = 'research' WHERE id = ANY ($1)`,
    ],
    [
      'that have ended',
      `'2020-01-01Z'`,
      `UPDATE credit_reservations SET state = 'settled', closed_at = now(), released_micro = held_micro WHERE id = ANY ($1)`,
    ],
  ])('not those %s', async (_, since, change) => expect(await onFree(since, change)).toBeNull());
});
