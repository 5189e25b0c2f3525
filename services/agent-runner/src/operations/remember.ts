import type { Database, Principal, Tx } from '@swissbrain/service-kit/database';
import { errors } from '../errors.ts';
import {
  deleteMemory,
  type Embedding,
  listMemories,
  type MemoryListing,
  type MemoryRow,
  type MemorySearch,
  type NewMemory,
  saveMemory,
  searchMemoryStatement,
} from '../store/memories.ts';
import { refuseLeaving } from './leave.ts';

/** What says what texts mean, where there is one. */
export interface Meaning {
  readonly atLeast: number;
  embed(text: string, signal: AbortSignal): Promise<Embedding | null>;
}

/** What a memory means; outside of any transaction, since it asks a model. */
export async function meaningOf(
  meaning: Meaning | null,
  { key, content }: Pick<NewMemory, 'key' | 'content'>,
  signal: AbortSignal,
): Promise<Embedding | null> {
  return meaning ? meaning.embed(`${key}\n${content}`, signal) : null;
}

/** Keeps something for a user under its key. @throws AppError user_leaving */
export async function remember(tx: Tx, memory: NewMemory): Promise<MemoryRow> {
  await refuseLeaving(tx, memory.userId);
  return saveMemory(tx, memory);
}

/** Phrases and exclusions are about words: what only means the same would not heed them. */
const aboutWords = /"|(^|\s)-\S/;

/** The best matches among what is kept for a user: by words, and by meaning where there is a model and it answers. */
export async function recall(
  database: Database,
  meaning: Meaning | null,
  search: Omit<MemorySearch, 'near'>,
  signal: AbortSignal,
): Promise<MemoryRow[]> {
  const found = meaning && !aboutWords.test(search.query) ? await meaning.embed(search.query, signal) : null;
  const near = found && meaning ? { ...found, atLeast: meaning.atLeast } : null;
  return database.serviceStatement(searchMemoryStatement({ ...search, near }));
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
