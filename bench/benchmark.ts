import type { Figure } from './measure.ts';

/** What a benchmark is given. */
export interface BenchmarkContext {
  /** The checkout. */
  readonly root: string;
  /** Where `startStack` may keep its data; on a real disk, removed afterwards. */
  readonly dataDir: string;
  /** The words after the name on the command line. */
  readonly args: readonly string[];
  /** Progress for people, a line at a time. */
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Exported as `run` by `bench/NAME.ts` or `bench/NAME/main.ts`. It stops what it starts. */
export type Benchmark = (context: BenchmarkContext) => Promise<readonly Figure[]>;
