import pg from 'pg';
import { credits, type Ledger, openLedger } from './ledger-fixture.ts';

/** A row of verify_credits. */
export interface Finding {
  readonly invariant: string;
  readonly expected: string;
  readonly found: string | null;
  readonly transaction_id: string | null;
}

/** A ledger with an account in which everything has happened, and what goes on behind its back. */
export interface VerifiedLedger {
  readonly ledger: Ledger;
  /** As the superuser. */
  readonly client: pg.Client;
  readonly user: string;
  /** Does `work` where no trigger and no foreign key refuses anything; what it has changed is taken back then. */
  behindItsBack<T>(work: () => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export async function openVerifiedLedger(): Promise<VerifiedLedger> {
  const ledger = await openLedger();
  const client = new pg.Client({ connectionString: ledger.clone.adminUrl });
  await client.connect();
  const user = await ledger.account({ tier: 'pro' });
  const { reservation_id } = await ledger.reserve(user, { amount: credits(5) });
  const { transaction_id: reverses } = await ledger.consume(reservation_id, { quantity: 7 });
  await ledger.extend(reservation_id, credits(4));
  await ledger.adjust(user, credits(2), { reverses });
  await ledger.adjust(user, credits(-3));
  await ledger.release(reservation_id);
  await ledger.consume(reservation_id, { quantity: 6 });
  return {
    ...{ ledger, client, user },
    async behindItsBack(work) {
      await client.query('BEGIN');
      try {
        await client.query('SET LOCAL session_replication_role = replica');
        return await work();
      } finally {
        await client.query('ROLLBACK');
      }
    },
    async close() {
      await client.end();
      await ledger.close();
    },
  };
}
