import { describe, expect, it } from 'vitest';
import { createStatementNames } from './statement-names.ts';

describe('names of statements', () => {
  it('go to texts that come back, the same one each time', () => {
    const names = createStatementNames({ sightings: 3, prepared: 10, candidates: 10 });
    expect([1, 2, 3, 4].map(() => names.nameOf('SELECT 1') !== undefined)).toEqual([
      false,
      false,
      true,
      true,
    ]);
    expect(names.nameOf('SELECT 1')).toBe(names.nameOf('SELECT 1'));
    for (const _round of [1, 2, 3]) names.nameOf('SELECT 2');
    expect(names.nameOf('SELECT 2')).not.toBe(names.nameOf('SELECT 1'));
    // Postgres cuts longer names.
    expect(names.nameOf('SELECT 1')?.length).toBeLessThan(64);
  });
  it('are bounded, and so is what is remembered of texts without one', () => {
    const names = createStatementNames({ sightings: 2, prepared: 2, candidates: 2 });
    for (const text of ['a', 'a', 'b', 'b', 'c', 'c', 'c']) names.nameOf(text);
    expect(['a', 'b', 'c'].map((text) => names.nameOf(text) !== undefined)).toEqual([true, true, false]);
    const busy = createStatementNames({ sightings: 2, prepared: 2, candidates: 2 });
    for (const text of ['x', '1', '2', 'x']) busy.nameOf(text);
    expect(busy.nameOf('2')).toBeDefined();
  });
});
