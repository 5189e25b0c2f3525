import type { Database } from '@swissbrain/service-kit/database';
import { type RenewedAccount, renewAccounts } from '../store/accounts.ts';

/** Begins the new period of accounts whose old one is over: what is left expires or rolls over, the new grant comes. */
export function renewPeriods(database: Database, limit: number): Promise<RenewedAccount[]> {
  return database.withService((tx) => renewAccounts(tx, limit));
}
