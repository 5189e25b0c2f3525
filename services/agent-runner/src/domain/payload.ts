/** Where object storage keeps a value that is too large for its row. Kept in a column of its own: no value can pass for one. */
export interface StoredPayload {
  readonly key: string;
  readonly size_bytes: number;
  /** Lower-case hexadecimal, of the canonical JSON. */
  readonly sha256: string;
}

/** What of a run that is about to be created is too large for its rows, and where it is. */
export interface StoredGiven {
  readonly playbook: StoredPayload | null;
  readonly inputs: StoredPayload | null;
  /** By the keys of steps. */
  readonly steps: ReadonlyMap<string, StoredPayload>;
}

/** Longer JSON goes to object storage, and its row keeps a reference, in bytes. */
export const maxInlineBytes = 64 * 1024;
/** No value of a run may be longer, in bytes: it is read back as a whole. */
export const maxPayloadBytes = 16 * 1024 * 1024;

/** Longer words about a failure are cut: they travel in events, whose size is bounded. */
export const maxMessageCharacters = 4_000;

/** Postgres stores neither U+0000 nor half of a surrogate pair; both are escaped by JSON.stringify, and rare. */
const unstorable = /\\u0000|\\ud[89a-f]/;

/** A text as rows can keep it. */
export function storableText(text: string): string {
  return text.replaceAll('\0', '\ufffd').toWellFormed();
}

const storable = (_key: string, value: unknown) => (typeof value === 'string' ? storableText(value) : value);

/** JSON as rows can keep it: characters that Postgres cannot store become U+FFFD. Nothing is `null`. */
export function jsonText(value: unknown): string {
  const text = JSON.stringify(value ?? null);
  return unstorable.test(text) ? JSON.stringify(value, storable) : text;
}

/** The same value with the keys of its objects in one order. */
export function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, ordered(inner)]));
}

/** JSON with the keys of objects in one order, so that equal values have equal bytes. */
export function canonicalJson(value: unknown): string {
  return jsonText(ordered(value));
}
