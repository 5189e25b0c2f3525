import { decodeCursor, type PageQuery } from '@swissbrain/service-kit/cursor';
import type { Database, Principal } from '@swissbrain/service-kit/database';
import { toPage } from '@swissbrain/service-kit/page';
import type { Page } from '@swissbrain/shared-schema/http/page';
import type { RunId } from '@swissbrain/shared-schema/ids';
import { type AccountRow, findAccount } from '../store/accounts.ts';
import { type PriceRow, selectPrices, selectTiers, type TierRow } from '../store/catalogue.ts';
import { type ReservationRow, selectReservations } from '../store/reservations.ts';
import { selectTransactions, type TransactionRow } from '../store/transactions.ts';

export type { AccountRow, PriceRow, ReservationRow, TierRow, TransactionRow };

/** The caller's account; undefined for a new user whose account is still being opened. */
export function getAccount(database: Database, principal: Principal): Promise<AccountRow | undefined> {
  return database.withUser(principal, (tx) => findAccount(tx, principal.userId));
}

/**
 * One page of the caller's ledger, newest first.
 * @throws AppError 400 `invalid_cursor`
 */
export async function listTransactions(
  database: Database,
  principal: Principal,
  { cursor, limit }: PageQuery,
): Promise<Page<TransactionRow>> {
  const { userId } = principal;
  const after = cursor === undefined ? undefined : decodeCursor(cursor);
  const rows = await database.withUser(principal, (tx) =>
    selectTransactions(tx, { userId, after, limit: limit + 1 }),
  );
  return toPage(rows, limit);
}

/**
 * One page of the caller's reservations, newest first; of one run when it is named.
 * @throws AppError 400 `invalid_cursor`
 */
export async function listReservations(
  database: Database,
  principal: Principal,
  { cursor, limit, runId }: PageQuery & { runId: RunId | undefined },
): Promise<Page<ReservationRow>> {
  const { userId } = principal;
  const after = cursor === undefined ? undefined : decodeCursor(cursor);
  const rows = await database.withUser(principal, (tx) =>
    selectReservations(tx, { userId, runId, after, limit: limit + 1 }),
  );
  return toPage(rows, limit);
}

/** All tiers, smallest first. */
export function listTiers(database: Database, principal: Principal): Promise<TierRow[]> {
  return database.withUser(principal, selectTiers);
}

/** The prices that hold now. */
export function listPrices(database: Database, principal: Principal): Promise<PriceRow[]> {
  return database.withUser(principal, selectPrices);
}
