import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { canonicalJson, jsonText, maxInlineBytes, type StoredPayload } from '../domain/payload.ts';
import { type ObjectStore, ObjectStoreError } from './object-store.ts';

/** Waits between tries of a store that is away; what is stored under its content may be stored again. */
const retryWaitsMs = [250, 1_000, 4_000, 10_000] as const;

async function withRetries<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  for (const wait of retryWaitsMs) {
    signal?.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      if (error instanceof ObjectStoreError) throw error;
      await delay(wait, undefined, signal ? { signal } : {});
    }
  }
  return work();
}

/** True when this value is too long to be kept in a row. */
function isLarge(value: unknown): boolean {
  const text = jsonText(value);
  // A character of UTF-16 is at most three bytes of UTF-8.
  return text.length * 3 > maxInlineBytes && Buffer.byteLength(text) > maxInlineBytes;
}

/**
 * Stores a value of a user that is too large for its row, and returns what the row keeps; null for all others. Its row
 * must follow: what no row names is swept some days later. Never within a transaction.
 * @param signal ends the tries while the store is away
 */
export async function storePayload(
  objects: ObjectStore,
  owner: string,
  value: unknown,
  signal?: AbortSignal,
): Promise<StoredPayload | null> {
  if (!isLarge(value)) return null;
  const bytes = Buffer.from(canonicalJson(value), 'utf8');
  const { key, size, sha256 } = await withRetries(signal, () => objects.put(owner, bytes));
  return { key, size_bytes: size, sha256 };
}

/**
 * The value that a row keeps, or refers to.
 * @throws ObjectStoreError object_missing, object_corrupt; or whatever the store says when it stays away
 */
export function loadPayload(
  objects: ObjectStore,
  value: unknown,
  stored: StoredPayload | null,
  signal?: AbortSignal,
): Promise<unknown> {
  if (!stored) return Promise.resolve(value);
  return withRetries(signal, async () => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of await objects.get(stored.key)) chunks.push(chunk);
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
  });
}

/** True when a row keeps this value, or refers to it. */
export function isStored(value: unknown, stored: StoredPayload): boolean {
  return createHash('sha256').update(canonicalJson(value)).digest('hex') === stored.sha256;
}
