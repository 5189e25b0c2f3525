import { createTestDatabase, type TestDatabase } from '@swissbrain/testkit/database';
import { type Bench, judge, judgeSound, openBench } from './judge.ts';
import { judgeByTests, judgeTestsSound } from './judge-tests.ts';
import type { Mutant } from './mutant.ts';

export interface Verdict {
  readonly mutant: Mutant;
  /** What the first check that failed said; null when the mutant survived. */
  readonly caughtBy: string | null;
}

/**
 * Judges mutants, two at a time, each kind of database cloned once per worker.
 * Needs the environment of the global setup of the tests.
 */
export async function judgeAll(
  mutants: readonly Mutant[],
  onVerdict: (verdict: Verdict) => void = () => {},
): Promise<Verdict[]> {
  await judgeTestsSound(mutants);
  const verdicts: Verdict[] = [];
  const queue = [...mutants];
  const work = async (bench: Bench): Promise<void> => {
    for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
      const { tested } = mutant;
      const caughtBy = tested === undefined ? await judge(bench, mutant) : await judgeByTests(mutant, tested);
      verdicts.push({ mutant, caughtBy });
      onVerdict({ mutant, caughtBy });
    }
  };
  const soundFirst = async (bench: Bench): Promise<void> => {
    await judgeSound(bench); // the other's clones are alike: what these pass without a mutant, they do
    await work(bench);
  };
  await Promise.all([withBench(soundFirst), withBench(work)]);
  return verdicts;
}

async function withBench(work: (bench: Bench) => Promise<void>): Promise<void> {
  const clones: TestDatabase[] = [];
  let bench: Bench | undefined;
  try {
    const [empty, filled] = [await createTestDatabase(), await createTestDatabase()];
    clones.push(empty, filled);
    bench = await openBench({ empty: empty.adminUrl, filled: filled.adminUrl });
    await work(bench);
  } finally {
    await bench?.close();
    for (const clone of clones) await clone.drop();
  }
}
