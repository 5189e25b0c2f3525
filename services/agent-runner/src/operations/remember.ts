import type { Database, Principal, Tx } from '@swissbrain/service-kit/database';
import { errors } from '../errors.ts';
import {
  deleteMemory,
  listMemories,
  type MemoryListing,
  type MemoryRow,
  type MemorySearch,
  type NewMemory,
  saveMemory,
  searchMemoryStatement,
} from '../store/memories.ts';
import { refuseLeaving } from './leave.ts';

/** Keeps something for a user under its key. @throws AppError user_leaving */
export async function remember(tx: Tx, memory: NewMemory): Promise<MemoryRow> {
  await refuseLeaving(tx, memory.userId);
  return saveMemory(tx, memory);
}

/** The best matches among what is kept for a user. */
export function recall(database: Database, search: MemorySearch): Promise<MemoryRow[]> {
  return database.serviceStatement(searchMemoryStatement(search));
}

/** A page of what is kept for the caller, last changed first. */
export function readMemories(database: Database, principal: Principal, listing: MemoryListing) {
  return database.withUser(principal, (tx) => listMemories(tx, principal.userId, listing));
}

/** Forgets one of the caller's. @throws AppError memory_not_found */
export async function forget(database: Database, principal: Principal, id: string): Promise<void> {
  const found = await database.withUser(principal, (tx) => deleteMemory(tx, id));
  if (!found) throw errors.memory_not_found(`there is no memory ${id}`);
}
