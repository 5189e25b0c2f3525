import type { Database } from '@swissbrain/service-kit/database';
import { expireGrants, type RenewedAccount, renewAccounts } from '../store/accounts.ts';

/** Begins the new period of accounts whose old one is over: what is left expires or rolls over, the new grant comes. */
export function renewPeriods(database: Database, limit: number): Promise<RenewedAccount[]> {
  return database.withService((tx) => renewAccounts(tx, limit));
}

/** Takes back what is left of grants that expire within a period: presents, trials. Returns of how many accounts. */
export function expireDueGrants(database: Database, limit: number): Promise<number> {
  return database.withService((tx) => expireGrants(tx, limit));
}
