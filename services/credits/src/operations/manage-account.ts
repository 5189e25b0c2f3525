import type { Tx } from '@swissbrain/service-kit/database';
import type { UserId } from '@swissbrain/shared-schema/ids';
import * as accounts from '../store/accounts.ts';

/** Gives a new user an account, the Free subscription and its first grant, once. */
export function openAccount(tx: Tx, userId: UserId): Promise<boolean> {
  return accounts.openAccount(tx, userId);
}

/** Ends the subscription of a deleted user: nothing is admitted any more. Money and ledger outlive the user. */
export function closeAccount(tx: Tx, userId: UserId): Promise<boolean> {
  return accounts.closeAccount(tx, userId);
}
