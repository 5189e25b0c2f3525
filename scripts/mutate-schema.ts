// pnpm db:mutate: makes one defect after the other in the schema and tells which of them the tests of the schema miss.
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { drawSample } from '../db/test/mutation/choose.ts';
import type { Verdict } from '../db/test/mutation/judge-all.ts';
import { type MutantKind, mutantKinds } from '../db/test/mutation/mutant.ts';
import { sweep } from '../db/test/mutation/sweep.ts';
import { startProgress, wordsOf } from './progress.ts';

const usage = `usage: db:mutate [--sample <count>] [--seed <number>] [--only ${mutantKinds.join('|')}]... [--match <text>]`;
const progress = startProgress();

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      sample: { type: 'string' },
      seed: { type: 'string' },
      only: { type: 'string', multiple: true },
      match: { type: 'string', default: '' },
    },
  });
  const kinds = (values.only ?? mutantKinds).map(kindOf);
  const seed = values.seed === undefined ? randomInt(2 ** 32) : numberOf(values.seed);
  const verdicts = await sweep({
    choose(every) {
      const all = every.filter(({ kind, name }) => kinds.includes(kind) && name.includes(values.match));
      const chosen = values.sample === undefined ? all : drawSample(all, numberOf(values.sample), seed);
      progress(
        `${chosen.length} of ${all.length} mutants${values.sample === undefined ? '' : `, --seed ${seed}`}`,
      );
      return chosen;
    },
    onVerdict({ mutant, caughtBy }) {
      if (caughtBy === null) progress(`SURVIVED  ${mutant.name}`);
    },
  });
  for (const kind of kinds) progress(lineOf(kind, verdicts));
  if (verdicts.some(({ caughtBy }) => caughtBy === null)) process.exitCode = 1;
}

function kindOf(text: string): MutantKind {
  const kind = mutantKinds.find((name) => name === text);
  if (kind === undefined) throw new Error(`${text} is no kind of mutant\n${usage}`);
  return kind;
}

function numberOf(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 0) throw new Error(`${text} is no count\n${usage}`);
  return number;
}

function lineOf(kind: MutantKind, verdicts: readonly Verdict[]): string {
  const own = verdicts.filter(({ mutant }) => mutant.kind === kind);
  return `${kind}: ${own.filter(({ caughtBy }) => caughtBy !== null).length} of ${own.length} caught`;
}

try {
  await main();
} catch (error) {
  progress(wordsOf(error));
  process.exitCode = 2;
}
