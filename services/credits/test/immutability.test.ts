import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { credits, expectNoDrift, expectState, type Ledger, openLedger } from './ledger-fixture.ts';

let ledger: Ledger;
beforeAll(async () => {
  ledger = await openLedger();
});
afterAll(() => ledger?.close());

/** The ids of a user's entries by kind, in order. */
async function entriesOf(user: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const rows = await ledger.clone.query<{ kind: string; ids: string[] }>(
    `SELECT kind, array_agg(id::text ORDER BY coalesce(account_seq, reservation_seq)) AS ids
     FROM credit_transactions WHERE user_id = $1 GROUP BY kind`,
    [user],
  );
  return new Map(rows.map(({ kind, ids }) => [kind, ids]));
}

/** A user with a grant, a present, a hold with three usages, an extension, a refund, a settlement and a late usage. */
async function story(): Promise<{ user: string; reservation: string }> {
  const user = await ledger.account({ tier: 'pro' });
  await ledger.grant(user, credits(7), { source: 'promo' });
  const { reservation_id: reservation } = await ledger.reserve(user, { amount: credits(5) });
  const { transaction_id: reverses } = await ledger.consume(reservation, { quantity: 3 });
  await ledger.consume(reservation, { quantity: 2 });
  await ledger.extend(reservation, credits(4));
  await ledger.consume(reservation, { quantity: 1 });
  await ledger.adjust(user, credits(2), { reverses });
  await ledger.release(reservation);
  await ledger.consume(reservation, { quantity: 6 });
  return { user, reservation };
}

describe('the ledger is append-only, also for its owner', () => {
  const partitions = () =>
    ledger.clone.query<{ name: string }>(
      `SELECT inhrelid::regclass::text AS name FROM pg_inherits
       WHERE inhparent = 'public.credit_transactions'::regclass`,
    );

  test.each([
    ['an update', 'UPDATE credit_transactions SET cause = cause'],
    ['a deletion', 'DELETE FROM credit_transactions'],
    ['a merge', `MERGE INTO credit_transactions t USING (SELECT 1) x ON true WHEN MATCHED THEN DELETE`],
    ['TRUNCATE', 'TRUNCATE credit_transactions'],
    ['TRUNCATE of all that hangs on it', 'TRUNCATE credit_balances CASCADE'],
  ])('%s is refused', async (_name, statement) => {
    const { user } = await story();
    await expectState(ledger.clone.query(statement), '42501');
    await expectNoDrift(ledger, user);
  });

  test('by the name of every partition too', async () => {
    const { user } = await story();
    const names = await partitions();
    expect(names.length).toBeGreaterThanOrEqual(5);
    for (const { name } of names) {
      await expectState(ledger.clone.query(`TRUNCATE ${name}`), '42501');
      const [{ rows } = { rows: 0n }] = await ledger.clone.query<{ rows: bigint }>(
        `SELECT count(*) AS rows FROM ${name}`,
      );
      if (rows === 0n) continue;
      await expectState(ledger.clone.query(`UPDATE ${name} SET amount_micro = 0`), '42501');
      await expectState(ledger.clone.query(`DELETE FROM ${name}`), '42501');
    }
    await expectNoDrift(ledger, user);
  });

  test('and yet entries that came before the partition of their month move into it', async () => {
    const user = await ledger.account();
    await ledger.clone.query(
      `INSERT INTO credit_transactions (user_id, account_seq, kind, amount_micro, cause, created_at)
       VALUES ($1, 2, 'denied', 0, 'early', '2031-05-05T00:00:00Z')`,
      [user],
    );
    await ledger.clone.query(`SELECT sb.add_month('credit_transactions', '2031-05-01')`);
    const rows = await ledger.clone.query(
      `SELECT cause FROM sb_partitions.credit_transactions_2031_05 WHERE user_id = $1`,
      [user],
    );
    expect(rows).toEqual([{ cause: 'early' }]);
    for (const place of ['credit_transactions_2031_05', 'credit_transactions_default']) {
      await expectState(ledger.clone.query(`TRUNCATE sb_partitions.${place}`), '42501');
    }
    await expectState(ledger.clone.query('DELETE FROM sb_partitions.credit_transactions_2031_05'), '42501');
  });
});

describe('verify_credits names the first wrong row after', () => {
  interface Corruption {
    readonly sql: string;
    /** The entry that is named: the kind and which of that kind; null where no entry is wrong by itself. */
    readonly entry: readonly [kind: string, nth: number] | null;
    readonly invariant: RegExp;
    /** The named entry is the one that is not there any more. */
    readonly gone?: true;
  }
  const entry = (kind: string, nth: number) =>
    `id = (SELECT id FROM credit_transactions WHERE user_id = :user AND kind = '${kind}'
           ORDER BY coalesce(account_seq, reservation_seq) OFFSET ${nth} LIMIT 1)`;
  const set = (kind: string, nth: number, change: string) =>
    `UPDATE credit_transactions SET ${change} WHERE ${entry(kind, nth)}`;
  const corruptions: Readonly<Record<string, Corruption>> = {
    'a larger grant': {
      sql: set('grant', 1, 'amount_micro = amount_micro + 1'),
      entry: ['grant', 1],
      invariant: /available after/,
    },
    'another balance after': {
      sql: set('extend', 0, 'available_after_micro = available_after_micro + 1'),
      entry: ['extend', 0],
      invariant: /available after/,
    },
    'another hold': {
      sql: set('reserve', 0, 'hold_micro = hold_micro - 1'),
      entry: ['reserve', 0],
      invariant: /available after/,
    },
    'less settled': {
      sql: set('release', 0, 'settled_micro = settled_micro - 1'),
      entry: ['release', 0],
      invariant: /available after/,
    },
    'an entry that is gone': {
      sql: `DELETE FROM credit_transactions WHERE ${entry('grant', 1)}`,
      entry: ['grant', 1],
      invariant: /without a gap|available after/,
    },
    'two entries that changed places': {
      sql: `UPDATE credit_transactions SET account_seq = CASE kind WHEN 'reserve' THEN 5 ELSE 4 END
            WHERE user_id = :user AND kind IN ('reserve', 'extend')`,
      entry: ['reserve', 0],
      invariant: /available after/,
    },
    'usage that is gone': {
      sql: `DELETE FROM credit_transactions WHERE ${entry('consume', 1)}`,
      entry: ['consume', 1],
      invariant: /is there and as the key/,
      gone: true,
    },
    'cheaper usage': {
      sql: set('consume', 1, 'cost_micro = cost_micro - 1, amount_micro = amount_micro + 1'),
      entry: ['consume', 1],
      invariant: /at its price|as the key remembers|less what was used/,
    },
    'less usage': {
      sql: set('consume', 0, 'quantity = quantity - 1'),
      entry: ['consume', 0],
      invariant: /at its price/,
    },
    'another price': {
      sql: set('consume', 2, 'price_micro = 1'),
      entry: ['consume', 2],
      invariant: /at its price/,
    },
    'usage that was not charged': {
      sql: set('consume', 1, 'amount_micro = 0'),
      entry: ['consume', 1],
      invariant: /less what was used/,
    },
    'a refund above the original': {
      sql: set('refund', 0, 'amount_micro = 9000000'),
      entry: ['refund', 0],
      invariant: /a refund is at most|available after|as the key remembers/,
    },
    'another kind': {
      sql: set('extend', 0, `kind = 'grant'`),
      entry: ['grant', 3],
      invariant: /moves what its kind moves/,
    },
    'a key that is gone': {
      sql: `DELETE FROM credit_idempotency WHERE user_id = :user AND transaction_id IN
              (SELECT id FROM credit_transactions WHERE ${entry('consume', 2)})`,
      entry: ['consume', 2],
      invariant: /has its key/,
    },
    'an invented grant': {
      sql: `INSERT INTO credit_transactions (user_id, account_seq, kind, amount_micro, available_after_micro, cause)
            SELECT user_id, seq + 1, 'grant', 5, credited_micro - debited_micro - reserved_micro + 5, 'invented'
            FROM credit_balances WHERE user_id = :user;
            UPDATE credit_balances SET seq = seq + 1, credited_micro = credited_micro + 5 WHERE user_id = :user`,
      entry: ['grant', 3],
      invariant: /the grant of an entry/,
    },
    'a richer balance': {
      sql: 'UPDATE credit_balances SET credited_micro = credited_micro + 1 WHERE user_id = :user',
      entry: null,
      invariant: /credited is the sum/,
    },
    'a hold that used less': {
      sql: `UPDATE credit_reservations SET consumed_micro = consumed_micro - 1, released_micro = released_micro + 1
            WHERE user_id = :user`,
      entry: null,
      invariant: /usage of/,
    },
    'a grant that has more left': {
      sql: `UPDATE credit_grants SET remaining_micro = remaining_micro + 1 WHERE user_id = :user AND source = 'promo'`,
      entry: null,
      invariant: /grant .* has left/,
    },
    'a grant that was burnt before its turn': {
      sql: `UPDATE credit_grants SET remaining_micro = remaining_micro + CASE source WHEN 'promo' THEN 1 ELSE -1 END
            WHERE user_id = :user AND source IN ('promo', 'monthly')`,
      entry: null,
      invariant: /grant .* has left/,
    },
    'debt that is forgotten': {
      sql: 'UPDATE credit_balances SET debt_micro = debt_micro + 1 WHERE user_id = :user',
      entry: null,
      invariant: /debt/,
    },
  };

  test.each(Object.entries(corruptions))('%s', async (_name, { sql, entry: named, invariant, gone }) => {
    const { user } = await story();
    await expectNoDrift(ledger, user);
    const before = await entriesOf(user);
    // As a superuser who turns the triggers off.
    const statement = sql.replaceAll(':user', `'${user}'`);
    await ledger.clone.query(
      `BEGIN; SET LOCAL session_replication_role = replica; ${statement}; SET LOCAL session_replication_role = origin; COMMIT`,
    );
    const [first] = await ledger.verify(user);
    expect(first?.invariant).toMatch(invariant);
    const entries = gone ? before : await entriesOf(user);
    const [kind, nth] = named ?? ['', 0];
    expect(first?.transaction_id).toBe(named === null ? null : entries.get(kind)?.[nth]);
  });

  test('nothing, on an account that was never touched, and an account that is not there', async () => {
    const { user } = await story();
    expect(await ledger.verify(user)).toEqual([]);
    expect((await ledger.verify(randomUUID())).map((row) => row.invariant)).toEqual(['there is an account']);
  });
});
