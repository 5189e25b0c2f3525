import { readCatalog } from '../../catalog.ts';
import { withClient } from '../../migrate.ts';
import { openSession } from '../acting.ts';
import { constraintMutants } from './constraints.ts';
import { functionMutants } from './functions.ts';
import { grantMutants } from './grants.ts';
import type { Mutant } from './mutant.ts';
import { policyMutants } from './policies.ts';
import { triggerMutants } from './triggers.ts';

/** Every mutant that the catalog of a migrated database gives rise to, in an order of its own. */
export async function readMutants(url: string): Promise<Mutant[]> {
  const catalog = await withClient(url, readCatalog);
  const session = await openSession(url);
  try {
    return [
      ...(await policyMutants(session)),
      ...(await constraintMutants(session)),
      ...grantMutants(catalog),
      ...(await triggerMutants(session)),
      ...(await functionMutants(session, catalog)),
    ];
  } finally {
    await session.end();
  }
}

/** Draws `sample` of the mutants, the same ones for the same seed. */
export function drawSample(all: readonly Mutant[], sample: number, seed: number): Mutant[] {
  const random = randomFrom(seed);
  return all
    .map((mutant) => ({ mutant, rank: random() }))
    .toSorted((a, b) => a.rank - b.rank)
    .slice(0, sample)
    .map(({ mutant }) => mutant);
}

/** A generator of numbers in [0, 1): mulberry32, by Tommy Ettinger, in the public domain. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
