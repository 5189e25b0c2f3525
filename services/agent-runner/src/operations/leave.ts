import type { Database, Principal, Tx } from '@swissbrain/service-kit/database';
import { afterCommit } from '@swissbrain/service-kit/database';
import { errors } from '../errors.ts';
import {
  type DeletionRow,
  findDeletion,
  insertDeletion,
  insertForeignDeletion,
  isLeaving,
} from '../store/deletions.ts';

/**
 * Begins to remove the transaction's user; from then on nothing can be made for them. Asking again changes nothing.
 */
export async function requestDeletion(tx: Tx, principal: Principal, wake: () => void): Promise<DeletionRow> {
  await insertDeletion(tx, principal.userId);
  const found = await findDeletion(tx, principal.userId);
  if (!found) throw new Error(`the deletion of user ${principal.userId} was inserted and cannot be read`);
  afterCommit(tx, wake);
  return found;
}

/** How far the removal of the caller is. @throws AppError deletion_not_found */
export function readDeletion(database: Database, principal: Principal): Promise<DeletionRow> {
  return database.withUser(principal, async (tx) => {
    const found = await findDeletion(tx, principal.userId);
    if (!found) throw errors.deletion_not_found('nobody has asked to delete this user');
    return found;
  });
}

/**
 * Call it in every transaction that makes something for a user that outlives it.
 * @throws AppError user_leaving
 */
export async function refuseLeaving(tx: Tx, userId: string): Promise<void> {
  if (await isLeaving(tx, userId)) throw errors.user_leaving('this user is being deleted');
}

/** Takes note of users who were deleted elsewhere, so that their files go, too. */
export async function noteDeletions(tx: Tx, userIds: readonly string[], wake: () => void): Promise<void> {
  for (const userId of userIds) await insertForeignDeletion(tx, userId);
  afterCommit(tx, wake);
}
