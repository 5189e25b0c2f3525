import { randomInt } from 'node:crypto';
import { beforeAll, expect, it } from 'vitest';
import { drawSample } from './mutation/choose.ts';
import { judgeAll } from './mutation/judge-all.ts';
import type { Mutant } from './mutation/mutant.ts';
import { readAllMutants } from './mutation/sweep.ts';

const full = process.env['SWISSBRAIN_FULL'] === '1';
const seed = randomInt(2 ** 32);
const sample = full ? 'all' : `24 (seed ${seed})`;

let mutants: Mutant[];
beforeAll(async () => {
  mutants = await readAllMutants();
});

// What is judged by tests of its own starts vitest anew for each, which a sample has no time for; bodies of functions are
// so many that only pnpm db:mutate has.
it(`${sample} of the defects that a schema can have are noticed`, {
  timeout: full ? 1_800_000 : 120_000,
}, async () => {
  const subjects = full
    ? mutants.filter(({ kind }) => kind !== 'functions')
    : drawSample(
        mutants.filter(({ tested }) => tested === undefined),
        24,
        seed,
      );
  const verdicts = await judgeAll(subjects);
  expect(verdicts).toHaveLength(subjects.length);
  expect(verdicts.filter(({ caughtBy }) => caughtBy === null).map(({ mutant }) => mutant.name)).toEqual([]);
});
