export const mutantKinds = ['policies', 'constraints', 'triggers', 'grants'] as const;
export type MutantKind = (typeof mutantKinds)[number];

/** One defect that a schema could have. */
export interface Mutant {
  readonly kind: MutantKind;
  /** What is wrong with it, in words: `policy agent_runs_own dropped`. */
  readonly name: string;
  /** The table or function it is about, with schema. */
  readonly object: string;
  /** Of a trigger. */
  readonly trigger?: string;
  /** Makes the defect, in a transaction. */
  readonly sql: string;
}
