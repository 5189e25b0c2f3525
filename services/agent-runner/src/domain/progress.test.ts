import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { abandonStep, completeStep, createProgress, type ProgressStep } from './progress.ts';

/** Steps that only need earlier ones. */
const steps = fc.integer({ min: 1, max: 20 }).chain((size) =>
  fc.array(fc.array(fc.nat(), { maxLength: 4 }), { minLength: size, maxLength: size }).map((needs) =>
    needs.map(
      (list, n): ProgressStep => ({
        key: `s${n}`,
        needs: n === 0 ? [] : [...new Set(list.map((need) => `s${need % n}`))],
        state: 'pending',
      }),
    ),
  ),
);

describe('progress', () => {
  it('starts every step once, after all it needs, whatever fails', () => {
    fc.assert(
      fc.property(steps, fc.infiniteStream(fc.boolean()), (given, coin) => {
        const progress = createProgress(given);
        const completed = new Set<string>();
        const ended = new Set<string>();
        for (let key = progress.ready.shift(); key !== undefined; key = progress.ready.shift()) {
          const step = given.find((candidate) => candidate.key === key);
          expect(ended.has(key)).toBe(false);
          expect(step?.needs.every((need) => completed.has(need))).toBe(true);
          ended.add(key);
          if (coin.next().value) {
            completed.add(key);
            completeStep(progress, key);
          } else {
            for (const lost of abandonStep(progress, key)) {
              expect(ended.has(lost)).toBe(false);
              ended.add(lost);
            }
          }
        }
        expect(ended.size).toBe(given.length);
        expect(progress.open).toBe(0);
      }),
    );
  });

  it('goes on where rows left off', () => {
    const progress = createProgress([
      { key: 'a', needs: [], state: 'completed' },
      { key: 'b', needs: ['a'], state: 'running' },
      { key: 'c', needs: ['a'], state: 'pending' },
      { key: 'd', needs: ['b', 'c'], state: 'pending' },
    ]);
    expect(progress.ready).toEqual(['c']);
    expect(progress.open).toBe(3);
    completeStep(progress, 'c');
    completeStep(progress, 'b');
    expect(progress.ready).toEqual(['c', 'd']);
  });
});
