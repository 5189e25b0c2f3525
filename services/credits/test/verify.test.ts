import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Finding, openVerifiedLedger, type VerifiedLedger } from './verify-fixture.ts';

let verified: VerifiedLedger;
let client: VerifiedLedger['client'];
let user: string;
beforeAll(async () => {
  verified = await openVerifiedLedger();
  ({ client, user } = verified);
});
afterAll(() => verified?.close());

/** What is found after a change behind the ledger's back. */
const findingsAfter = (sql: string, params: readonly unknown[]): Promise<Finding[]> =>
  verified.behindItsBack(async () => {
    await client.query(sql, [...params]);
    return (await client.query<Finding>('SELECT * FROM verify_credits($1)', [user])).rows;
  });
interface Movement {
  readonly id: string;
  readonly kind: string;
  readonly seq: string;
  readonly available: string;
}
const movements = async () =>
  (
    await client.query<Movement>(
      `SELECT id, kind, account_seq AS seq, available_after_micro AS available FROM credit_transactions
       WHERE user_id = $1 AND account_seq IS NOT NULL ORDER BY account_seq`,
      [user],
    )
  ).rows;

test('a number that is wrong is told with the one that is due, at every entry of the account', async () => {
  const entries = await movements();
  expect(new Set(entries.map(({ kind }) => kind)).size).toBeGreaterThanOrEqual(7);
  for (const { id, available } of entries) {
    const found = await findingsAfter(
      'UPDATE credit_transactions SET available_after_micro = available_after_micro + 7 WHERE id = $1',
      [id],
    );
    expect(found[0]).toEqual({
      invariant: 'available after an entry follows from the one before',
      ...{ expected: available, found: String(BigInt(available) + 7n), transaction_id: id },
    });
  }
  const last = entries.at(-1);
  const found = await findingsAfter(
    'UPDATE credit_transactions SET account_seq = account_seq + 5 WHERE id = $1',
    [last?.id],
  );
  expect(found[0]).toEqual({
    invariant: 'entries of the account are numbered without a gap',
    ...{ expected: last?.seq, found: String(BigInt(last?.seq ?? 0) + 5n), transaction_id: last?.id },
  });
});

test('usage that is numbered, priced or held otherwise is told, with the number that is due', async () => {
  const { rows } = await client.query<{ id: string; seq: string; left: string | null; cost: string }>(
    `SELECT id, reservation_seq AS seq, hold_left_micro AS left, cost_micro AS cost FROM credit_transactions
     WHERE user_id = $1 AND kind = 'consume' ORDER BY reservation_seq`,
    [user],
  );
  const [first, second] = rows;
  const change = async (column: string, value: string) =>
    (
      await findingsAfter(`UPDATE credit_transactions SET ${column} = $2 WHERE id = $1`, [second?.id, value])
    )[0];
  expect(await change('reservation_seq', first?.seq ?? '')).toEqual({
    invariant: 'usage of a hold is numbered upwards',
    ...{
      expected: String(BigInt(first?.seq ?? 0) + 1n),
      found: first?.seq,
      transaction_id: expect.any(String),
    },
  });
  const unnumbered = await findingsAfter(
    'UPDATE credit_transactions SET reservation_seq = NULL, account_seq = 99 WHERE id = $1',
    [second?.id],
  );
  expect(unnumbered).toContainEqual({
    invariant: 'usage of a hold is numbered upwards',
    ...{ expected: expect.any(String), found: null, transaction_id: second?.id },
  });
  expect(await change('per_quantity', '2')).toEqual({
    invariant: 'usage costs its quantity at its price',
    ...{ expected: second?.cost, found: second?.cost, transaction_id: second?.id },
  });
  expect(await change('hold_left_micro', '1')).toMatchObject({
    ...{ invariant: 'usage leaves of its hold what was held less what was used', found: '1' },
  });
  // What has ended leaves nothing, and says so.
  expect([first?.left, second?.left]).toEqual(['0', null]);
  // Only what raised a hold counts as held: not that its end left nothing of it.
  const [found] = await findingsAfter(
    'UPDATE credit_transactions SET hold_left_micro = -cost_micro WHERE id = $1',
    [first?.id],
  );
  expect(found).toMatchObject({
    ...{
      invariant: 'usage leaves of its hold what was held less what was used',
      found: `-${first?.cost}`,
      expected: '0',
    },
  });
});

/** By kind, amounts that an entry may have, and those it may not: effect on the money, settled usage, effect on what is held. */
type Amounts = readonly (readonly [amount: number, settled: number, hold: number])[];
const comes: { good: Amounts; bad: Amounts } = {
  good: [[1, 0, 0]],
  bad: [
    [0, 0, 0],
    [-1, 0, 0],
    [1, 1, 0],
    [1, 0, 1],
    [1, 0, -1],
  ],
};
const holds: { good: Amounts; bad: Amounts } = {
  good: [[0, 0, 1]],
  bad: [
    [0, 0, 0],
    [0, 0, -1],
    [1, 0, 1],
    [-1, 0, 1],
    [0, 1, 1],
  ],
};
const ends: { good: Amounts; bad: Amounts } = {
  good: [
    [0, 0, -1],
    [0, 0, 0],
    [0, 3, -3],
  ],
  bad: [
    [1, 0, -1],
    [-1, 0, -1],
    [0, 0, 1],
  ],
};
const kinds: Readonly<Record<string, { good: Amounts; bad: Amounts }>> = {
  ...{ grant: comes, rollover: comes, refund: comes },
  ...{ reserve: holds, extend: holds, debt: holds, release: ends, expire_hold: ends },
  adjust: {
    good: [
      [1, 0, 0],
      [-1, 0, 0],
    ],
    bad: [
      [0, 0, 0],
      [1, 1, 0],
      [-1, 0, 1],
      [1, 0, -1],
    ],
  },
  expire_grant: {
    good: [[-1, 0, 0]],
    bad: [
      [0, 0, 0],
      [1, 0, 0],
      [-1, 1, 0],
      [-1, 0, 1],
      [-1, 0, -1],
    ],
  },
  late: {
    good: [[0, 1, 0]],
    bad: [
      [0, 0, 0],
      [1, 1, 0],
      [0, 1, 1],
      [0, 1, -1],
    ],
  },
  denied: {
    good: [[0, 0, 0]],
    bad: [
      [1, 0, 0],
      [-1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
      [0, 0, -1],
    ],
  },
};

describe('an entry moves what its kind moves:', () => {
  test.each(Object.entries(kinds))('%s', async (kind, { good, bad }) => {
    const [entry] = await movements();
    const isWrong = async ([amount, settled, hold]: Amounts[number]) => {
      const found = await findingsAfter(
        'UPDATE credit_transactions SET kind = $2, amount_micro = $3, settled_micro = $4, hold_micro = $5 WHERE id = $1',
        [entry?.id, kind, amount, settled, hold],
      );
      const claim = `${kind} moves what its kind moves`;
      return found.some(
        ({ invariant, transaction_id }) => invariant === claim && transaction_id === entry?.id,
      );
    };
    for (const amounts of good) expect(await isWrong(amounts), `${kind} ${amounts}`).toBe(false);
    for (const amounts of bad) expect(await isWrong(amounts), `${kind} ${amounts}`).toBe(true);
  });
});

test('it is not compiled, which takes a server that can do so over a second for each account', async () => {
  const [verify] = await verified.ledger.clone.query<{ settings: string[] }>(
    `SELECT proconfig AS settings FROM pg_proc WHERE oid = 'public.verify_accounts(uuid[])'::regprocedure`,
  );
  expect(verify?.settings).toContain('jit=off');
});
