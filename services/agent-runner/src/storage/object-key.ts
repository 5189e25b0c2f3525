import { ObjectStoreError } from './object-store.ts';

/** What a key says. */
export interface ObjectName {
  /** Id of the user whose content it is. */
  readonly owner: string;
  /** Day on which it was stored, UTC: `2026-01-31`. */
  readonly day: string;
  readonly sha256: string;
}

const uuid = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const ownerPattern = new RegExp(`^${uuid}$`);
const keyPattern = new RegExp(`^(${uuid})/(\\d{4}-\\d{2}-\\d{2})/([0-9a-f]{64})$`);

/**
 * The key of content: `<user>/<day>/<sha256>`. By the user, so that whoever leaves takes all of it along and nobody can
 * learn by storing something whether somebody else has it. By the day, because then an old key is never written again:
 * the sweep may delete what nothing refers to without asking who is about to store the same.
 * @throws ObjectStoreError `invalid_key` when the owner is not the id of a user
 */
export function objectKey(owner: string, now: Date, sha256: string): string {
  return `${ownerPrefix(owner)}${now.toISOString().slice(0, 10)}/${sha256}`;
}

/** What all keys of a user begin with. @throws ObjectStoreError `invalid_key` */
export function ownerPrefix(owner: string): string {
  if (!ownerPattern.test(owner)) throw new ObjectStoreError('invalid_key', 'not the id of a user');
  return `${owner}/`;
}

/** What a key says, or null for anything that `objectKey` does not make. */
export function readKey(key: string): ObjectName | null {
  const [, owner, day, sha256] = keyPattern.exec(key) ?? [];
  return owner === undefined || day === undefined || sha256 === undefined ? null : { owner, day, sha256 };
}

/** The SHA-256 that a key names. @throws ObjectStoreError `invalid_key` */
export function sha256OfKey(key: string): string {
  const name = readKey(key);
  if (!name) throw new ObjectStoreError('invalid_key', 'not the key of an object');
  return name.sha256;
}
