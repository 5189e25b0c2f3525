import type { Acting, Actor } from '../plans.ts';

/** A query that needs indexes: whose it is, and the query itself. */
export interface Use {
  /** What asks: a route of the API, a job, a foreign key. */
  readonly by: string;
  /** Where the code base asks it, from the root; none for what the schema itself does or the API is to answer. */
  readonly file?: string;
  readonly indexes: readonly string[];
  readonly as: Actor;
  readonly run: (acting: Acting) => Promise<unknown>;
  /** Tables that it may read as a whole, with the reason. */
  readonly sweeps?: Readonly<Record<string, string>>;
}

/** Unique indexes that no query looks anything up in: what they keep apart. */
export type Guards = Readonly<Record<string, string>>;

/** The schema's own work: foreign keys and functions with their owner's rights. */
export const owner: Actor = { owner: true };

/** One statement of SQL as a use's work. */
export function statement(sql: string, ...values: readonly unknown[]) {
  return ({ query }: Acting): Promise<unknown> => query(sql, values);
}
