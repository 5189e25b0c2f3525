import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { migrate } from '../../db/migrate.ts';
import { bareTables, fillBareTables } from './bare.ts';

/** What is measured on: accounts with a hold each, one busy account with ten, and bare tables beside them. */
export interface Books {
  readonly url: string;
  /** Reservations, one per account. */
  readonly holds: readonly string[];
  readonly runs: readonly string[];
  readonly users: readonly string[];
  /** Ten reservations of one account without limits. */
  readonly busyHolds: readonly string[];
  readonly busyUser: string;
  /** What an event of a new hold says, as JSON. */
  readonly reservedEvent: string;
}

/** Fills a new database with so many accounts, each with a hold that does not run out. */
export async function openBooks(url: string, accounts: number): Promise<Books> {
  await migrate({ url });
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(bareTables);
    await client.query(
      `INSERT INTO credit_balances (user_id, credited_micro, reserved_micro, seq)
       SELECT gen_random_uuid(), 1e15, 1e15, 2 FROM generate_series(1, ${accounts});
       INSERT INTO credit_grants (user_id, source, source_ref, amount_micro, remaining_micro)
       SELECT user_id, 'promo', 'bench', 1e15, 1e15 FROM credit_balances;
       INSERT INTO credit_transactions (user_id, account_seq, kind, amount_micro, available_after_micro, cause, grant_id)
       SELECT user_id, 1, 'grant', 1e15, 1e15, 'bench', id FROM credit_grants;
       INSERT INTO user_subscriptions (user_id, tier_code, anchor_at, current_period_start, current_period_end, tier_effective_from)
       SELECT user_id, 'enterprise', now(), now(), now() + interval '1 month', now() FROM credit_balances;
       INSERT INTO credit_reservations (user_id, run_id, state, requested_micro, minimum_micro, held_micro, price_as_of, ttl, expires_at)
       SELECT user_id, gen_random_uuid(), 'active', 1e15, 0, 1e15, now(), '1 day', now() + interval '1 day' FROM credit_balances;
       INSERT INTO credit_transactions (user_id, account_seq, kind, amount_micro, hold_micro, available_after_micro, reservation_id, run_id, cause)
       SELECT user_id, 2, 'reserve', 0, held_micro, 0, id, run_id, 'bench' FROM credit_reservations;`,
    );
    const { rows } = await client.query<{ id: string; user_id: string; run_id: string }>(
      'SELECT id, user_id, run_id FROM credit_reservations',
    );
    const busyUser = randomUUID();
    await client.query('SELECT open_account($1)', [busyUser]);
    await client.query(`SELECT change_tier($1, 'enterprise', 'bench')`, [busyUser]);
    const busyHolds: string[] = [];
    for (let run = 0; run < 10; run += 1) {
      const reserved = await client.query<{ id: string }>(
        `SELECT reservation_id AS id FROM reserve_credits($1, gen_random_uuid(), 1000000000000000, $2, '1 day')`,
        [busyUser, `hold ${run}`],
      );
      busyHolds.push(...reserved.rows.map(({ id }) => id));
    }
    const events = await client.query<{ data: string }>(
      `SELECT data::text FROM event_outbox WHERE type = 'credits.reserved' LIMIT 1`,
    );
    await client.query(fillBareTables);
    await client.query('VACUUM ANALYZE');
    return {
      ...{ url, busyUser, busyHolds, reservedEvent: events.rows[0]?.data ?? '{}' },
      holds: rows.map(({ id }) => id),
      runs: rows.map(({ run_id }) => run_id),
      users: rows.map(({ user_id }) => user_id),
    };
  } finally {
    await client.end();
  }
}
