import { randomInt } from 'node:crypto';
import { beforeAll, expect, it } from 'vitest';
import { drawSample } from './mutation/choose.ts';
import { judgeAll, type Verdict } from './mutation/judge-all.ts';
import type { Mutant } from './mutation/mutant.ts';
import { readAllMutants } from './mutation/sweep.ts';

const full = process.env['SWISSBRAIN_FULL'] === '1';
const seed = randomInt(2 ** 32);
const sample = full ? 'all' : `24 (seed ${seed})`;

let mutants: Mutant[];
beforeAll(async () => {
  mutants = await readAllMutants();
});

const survivorsOf = (verdicts: readonly Verdict[]): string[] =>
  verdicts.filter(({ caughtBy }) => caughtBy === null).map(({ mutant }) => mutant.name);

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
  expect(survivorsOf(verdicts)).toEqual([]);
});

/** Of these functions every defect is noticed, says `pnpm db:mutate --only functions`; of the others it lists what is not. */
const whole = ['calculate_next_run', 'count_new_steps', 'redeem_share_token', 'update_run_statistics'];

// Each starts vitest anew, so that few are tried here.
it(`${full ? 40 : 2} of the defects that bodies of functions can have are noticed (seed ${seed})`, {
  timeout: full ? 1_200_000 : 240_000,
}, async () => {
  const ofFunctions = mutants.filter(
    ({ kind, tested = '' }) => kind === 'functions' && whole.includes(tested),
  );
  const subjects = drawSample(ofFunctions, full ? 40 : 2, seed);
  const verdicts = await judgeAll(subjects);
  expect(verdicts).toHaveLength(full ? 40 : 2);
  expect(survivorsOf(verdicts)).toEqual([]);
});
