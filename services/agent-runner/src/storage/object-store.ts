export interface StoredObject {
  /** Lower-case hex SHA-256 of the content. */
  readonly sha256: string;
  readonly size: number;
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

/** How a link serves an object. */
export interface LinkOptions {
  /** The last whole second at which it works. */
  readonly expiresAt: Date;
  /** Value of the answer's Content-Disposition. */
  readonly disposition: string;
  readonly mediaType: string;
}

/** One page of a listing. */
export interface ObjectPage {
  readonly objects: readonly { readonly key: string; readonly size: number }[];
  /** Where the next page goes on, or null after the last. */
  readonly next: string | null;
}

/**
 * Content-addressed storage of what belongs to users. Objects never change once stored. An object stays as long as a
 * row of `agent_artifacts` names its key; what no row names is swept some days after it was stored.
 */
export interface ObjectStore {
  /**
   * Stores content of a user under its hash; storing it again, also at the same time, is harmless.
   * @param owner the user's id, lower-case
   * @throws ObjectStoreError `object_too_large`, `hash_mismatch`; nothing is kept then, nor when `content` fails
   */
  put(
    owner: string,
    content: Uint8Array | AsyncIterable<Uint8Array>,
    options?: PutOptions,
  ): Promise<StoredObject>;
  /**
   * The content, or one range of it.
   * @throws ObjectStoreError `object_missing`, `range_not_satisfiable`; while reading `object_corrupt` when the whole
   * content does not have the hash of its key
   */
  get(key: string, range?: ByteRange): Promise<AsyncIterable<Uint8Array>>;
  head(key: string): Promise<{ readonly size: number } | null>;
  /** Harmless when there is no such object. */
  delete(key: string): Promise<void>;
  /** Objects in the order of their keys, those after `after`, at most about a thousand at once. */
  list(after?: string): Promise<ObjectPage>;
  /** Removes what uploads that broke off before this moment left behind; returns how many. */
  removeDrafts(before: Date): Promise<number>;
  /** Removes everything of one user, uploads under way too; returns how many objects. */
  removeOwner(owner: string): Promise<number>;
  /** A URL of the store itself that serves the object to anyone until it expires, or null where there is none. */
  link(key: string, options: LinkOptions): Promise<string | null>;
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
