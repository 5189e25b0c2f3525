import { createTestDatabase } from '@swissbrain/testkit/database';
import setUp from '@swissbrain/testkit/global-setup';
import { readMutants } from './choose.ts';
import { judgeAll, type Verdict } from './judge-all.ts';
import type { Mutant } from './mutant.ts';

export interface Sweep {
  /** Picks from all mutants those to be judged. */
  choose(all: readonly Mutant[]): readonly Mutant[];
  onVerdict(verdict: Verdict): void;
}

/** Judges mutants of the migrated schema on a server of its own, or that of TEST_DATABASE_URL. */
export async function sweep({ choose, onVerdict }: Sweep): Promise<Verdict[]> {
  const tearDown = await setUp();
  try {
    return await judgeAll(choose(await readAllMutants()), onVerdict);
  } finally {
    await tearDown();
  }
}

/** Every mutant of the schema that the global setup has migrated. */
export async function readAllMutants(): Promise<Mutant[]> {
  const clone = await createTestDatabase();
  try {
    return await readMutants(clone.adminUrl);
  } finally {
    await clone.drop();
  }
}
