import { describe, expect, test } from 'vitest';
import { boundsOf, holdOf } from './estimate.ts';

describe('the bounds', () => {
  const share = { tenth: 100_000n, half: 400_000n };

  test('of a playbook end with what it may use, or its budget', () => {
    expect(boundsOf(1_000n, { bounded: true, budget: null, share })).toEqual({
      low: 100n,
      likely: 400n,
      worst: 1_000n,
    });
    expect(boundsOf(1_000n, { bounded: true, budget: 300n, share })).toEqual({
      low: 100n,
      likely: 300n,
      worst: 300n,
    });
  });

  test('of anything else are those of its budget', () => {
    const wide = { tenth: 500_000n, half: 3_000_000n };
    expect(boundsOf(1_000n, { bounded: false, budget: null, share: wide })).toEqual({
      ...{ low: 500n, likely: 3_000n, worst: null },
    });
    expect(boundsOf(1_000n, { bounded: false, budget: 9_000n, share: null })).toEqual({
      ...{ low: null, likely: null, worst: 9_000n },
    });
  });
});

test.each([
  ['the estimate', 50n, { minimum: 1n, budget: null, available: 100n }, 50n],
  ['what there is', 50n, { minimum: 1n, budget: null, available: 20n }, 20n],
  ['the budget', 50n, { minimum: 1n, budget: 10n, available: 20n }, 10n],
  ['the minimum', 0n, { minimum: 5n, budget: null, available: 20n }, 5n],
  ['a budget below the minimum', 50n, { minimum: 5n, budget: 2n, available: 20n }, 2n],
  ['all of it without a limit', 50n, { minimum: 5n, budget: null, available: null }, 50n],
  ['nothing with less than the minimum', 50n, { minimum: 5n, budget: null, available: 4n }, null],
  ['nothing in debt', 50n, { minimum: 0n, budget: null, available: -4n }, null],
])('the hold is %s', (_name, total, account, expected) => {
  expect(holdOf(total, account)).toBe(expected);
});
