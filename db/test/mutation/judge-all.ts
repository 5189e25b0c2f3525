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
 * Judges mutants, two at a time: by the checks of the schema, with each kind of database cloned once per worker, or by tests
 * of their own. Needs the environment of the global setup of the tests.
 */
export async function judgeAll(
  mutants: readonly Mutant[],
  onVerdict: (verdict: Verdict) => void = () => {},
): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  const note = (mutant: Mutant, caughtBy: string | null): void => {
    verdicts.push({ mutant, caughtBy });
    onVerdict({ mutant, caughtBy });
  };
  const bySchema = mutants.filter(({ tested }) => tested === undefined);
  if (bySchema.length > 0) {
    const queue = [...bySchema];
    const work = async (bench: Bench): Promise<void> => {
      for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift())
        note(mutant, await judge(bench, mutant));
    };
    const soundFirst = async (bench: Bench): Promise<void> => {
      await judgeSound(bench); // the other's clones are alike: what these pass without a mutant, they do
      await work(bench);
    };
    await Promise.all([withBench(soundFirst), withBench(work)]);
  }
  const byTests = mutants.flatMap((mutant) =>
    mutant.tested === undefined ? [] : [{ mutant, tested: mutant.tested }],
  );
  await judgeTestsSound(mutants);
  const work = async (): Promise<void> => {
    for (let next = byTests.shift(); next !== undefined; next = byTests.shift())
      note(next.mutant, await judgeByTests(next.mutant, next.tested));
  };
  await Promise.all([work(), work()]);
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
