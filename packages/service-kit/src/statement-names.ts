import { createHash } from 'node:crypto';

/** Gives SQL texts that come back the name under which connections keep them prepared. */
export interface StatementNames {
  nameOf(text: string): string | undefined;
}

export interface StatementNameLimits {
  /** A text is prepared from this sighting on; texts built once stay unnamed. */
  readonly sightings: number;
  /** Every connection keeps at most this many statements; later texts stay unnamed. */
  readonly prepared: number;
  /** So many texts that have no name yet are counted; the longest unseen is forgotten. */
  readonly candidates: number;
}

const defaultLimits: StatementNameLimits = { sightings: 4, prepared: 400, candidates: 1_000 };

/**
 * A prepared statement saves parsing and often planning, but Postgres keeps it for the life of the
 * connection, so names are given to hot texts only and their number is bounded.
 */
export function createStatementNames(limits: StatementNameLimits = defaultLimits): StatementNames {
  const names = new Map<string, string>();
  const sightings = new Map<string, number>();
  return {
    nameOf(text) {
      const known = names.get(text);
      if (known !== undefined || names.size >= limits.prepared) return known;
      const count = (sightings.get(text) ?? 0) + 1;
      sightings.delete(text);
      if (count >= limits.sightings) {
        const name = `sb_${createHash('sha256').update(text).digest('base64url').slice(0, 24)}`;
        names.set(text, name);
        return name;
      }
      sightings.set(text, count);
      if (sightings.size > limits.candidates) {
        for (const oldest of sightings.keys()) {
          sightings.delete(oldest);
          break;
        }
      }
      return undefined;
    },
  };
}
