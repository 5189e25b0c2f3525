import { describe, expect, it } from 'vitest';
import { filtersFor } from './past-events.ts';

const listened = ['sb.run.>', 'sb.credits.>'];

describe('filtersFor', () => {
  it('keeps a subject that names its entity', () => {
    expect(filtersFor('sb.run.*.*.r', listened)).toEqual(['sb.run.*.*.r']);
  });
  it('takes one filter for each entity of the stream otherwise', () => {
    expect(filtersFor('sb.*.*.*.r', listened)).toEqual(['sb.run.*.*.r', 'sb.credits.*.*.r']);
    expect(filtersFor('sb.>', listened)).toEqual(['sb.run.>', 'sb.credits.>']);
  });
});
