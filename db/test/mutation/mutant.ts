export const mutantKinds = ['policies', 'constraints', 'triggers', 'functions', 'grants'] as const;
export type MutantKind = (typeof mutantKinds)[number];

/** One defect that a schema could have. */
export interface Mutant {
  readonly kind: MutantKind;
  /** What is wrong with it, in words: `policy agent_runs_own dropped`. */
  readonly name: string;
  /** The table or function it is about, with schema. */
  readonly object: string;
  /** The trigger or function whose tests judge it, as db/test/README.md names them; the checks of the schema when left out. */
  readonly tested?: string;
  /** Makes the defect, in a transaction. */
  readonly sql: string;
}
