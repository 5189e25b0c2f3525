import type { MicroCredits } from '@swissbrain/shared-schema/amount';

/** What is known before the work is done, in micro-credits; null is not known. */
export interface Bounds {
  readonly low: MicroCredits | null;
  readonly likely: MicroCredits | null;
  readonly worst: MicroCredits | null;
}

/** What earlier runs used of each million that they had asked for. */
export interface UsedShare {
  readonly tenth: bigint;
  readonly half: bigint;
}

const million = 1_000_000n;
const lesser = (a: MicroCredits, b: MicroCredits | null) => (b === null || a < b ? a : b);

/**
 * The bounds of work whose lines cost `total`. Lines are the most a playbook may use (`bounded`), and only a start
 * of anything else, which nothing but the budget bounds.
 */
export function boundsOf(
  total: MicroCredits,
  { bounded, budget, share }: { bounded: boolean; budget: MicroCredits | null; share: UsedShare | null },
): Bounds {
  const worst = bounded ? lesser(total, budget) : budget;
  const part = (of: bigint) => lesser((total * of) / million, worst);
  return { low: share && part(share.tenth), likely: share && part(share.half), worst };
}

/**
 * What would be held of `total`, as the ledger decides: less where budget or account have less, never less than the
 * minimum. Null when the run would be denied.
 */
export function holdOf(
  total: MicroCredits,
  account: { minimum: MicroCredits; budget: MicroCredits | null; available: MicroCredits | null },
): MicroCredits | null {
  const asked = total > account.minimum ? total : account.minimum;
  const capped = lesser(asked, account.budget);
  const hold = lesser(capped, account.available);
  return hold > 0n && hold >= lesser(account.minimum, account.budget) ? hold : null;
}
