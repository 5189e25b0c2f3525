export interface StoredObject {
  /** Lower-case hex SHA-256 of the content. */
  readonly sha256: string;
  readonly size: number;
  /** `sha256/ab/<sha256>`, derived from the content: the same content has one key. */
  readonly key: string;
}

/** Byte positions, both inclusive, as in an HTTP Range; `end` past the content means its last byte. */
export interface ByteRange {
  readonly start: number;
  readonly end?: number;
}

export interface PutOptions {
  /** Refuses content whose SHA-256 differs; lower-case hex. */
  readonly expectedSha256?: string;
  /** Refuses content that is longer, in bytes. */
  readonly maxBytes?: number;
}

/** Content-addressed storage of artifacts. Objects never change once stored. */
export interface ObjectStore {
  /** Stores content under its hash; storing it again, also at the same time, is harmless. */
  put(content: Uint8Array | AsyncIterable<Uint8Array>, options?: PutOptions): Promise<StoredObject>;
  /**
   * The content, or one range of it.
   * @throws ObjectStoreError `object_missing`, `range_not_satisfiable`; while reading `object_corrupt` when the whole
   * content does not have the hash of its key
   */
  get(key: string, range?: ByteRange): Promise<AsyncIterable<Uint8Array>>;
  head(key: string): Promise<{ readonly size: number } | null>;
  /** Harmless when there is no such object. */
  delete(key: string): Promise<void>;
}

export type ObjectStoreErrorCode =
  | 'object_missing'
  | 'object_corrupt'
  | 'object_too_large'
  | 'hash_mismatch'
  | 'range_not_satisfiable'
  | 'invalid_key';

export class ObjectStoreError extends Error {
  readonly code: ObjectStoreErrorCode;

  constructor(code: ObjectStoreErrorCode, message: string) {
    super(message);
    this.name = 'ObjectStoreError';
    this.code = code;
  }
}

const keyPattern = /^sha256\/([0-9a-f]{2})\/(\1[0-9a-f]{62})$/;

/** The key of the content with this lower-case hex SHA-256. */
export function objectKey(sha256: string): string {
  return `sha256/${sha256.slice(0, 2)}/${sha256}`;
}

/**
 * The SHA-256 that a key names.
 * @throws ObjectStoreError `invalid_key` for anything that `objectKey` does not make
 */
export function sha256OfKey(key: string): string {
  const sha256 = keyPattern.exec(key)?.[2];
  if (sha256 === undefined) throw new ObjectStoreError('invalid_key', 'not the key of an object');
  return sha256;
}
