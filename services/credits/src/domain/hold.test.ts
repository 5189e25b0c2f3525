import { describe, expect, test } from 'vitest';
import { sizeHold } from './hold.ts';

describe('the hold of a run', () => {
  test.each([
    ['the estimate where it is above the minimum', 7n, 1n, { amount: 7n, minimum: 1n }],
    ['the minimum where the estimate is below it', 0n, 1n, { amount: 1n, minimum: 1n }],
    ['either where they are equal', 3n, 3n, { amount: 3n, minimum: 3n }],
  ])('is %s', (_name, estimate, minimum, expected) => {
    expect(sizeHold(estimate, minimum)).toEqual(expected);
  });
});
