import { describe, expect, it } from 'vitest';
import { subjectFor } from './subjects.ts';

const id = '0195d3a4-5d7e-7c31-9f39-0c2a7d4f4a11';
const other = '0195d3a4-5d7e-7c31-9f39-0c2a7d4f4a12';

describe('subjectFor', () => {
  it.each([
    ['*', 'sb.*.*.*.*'],
    ['run', 'sb.run.*.*.*'],
    ['run.*', 'sb.run.*.*.*'],
    ['*.completed', 'sb.*.completed.*.*'],
    ['run.timed_out', 'sb.run.timed_out.*.*'],
    [id.toUpperCase(), `sb.*.*.*.${id}`],
    ['sb.run.>', 'sb.run.>'],
  ])('reads %s', (pattern, subject) => expect(subjectFor(pattern)).toBe(subject));

  it('narrows to a user and a run', () => {
    expect(subjectFor('credits.*', { user: other, run: id })).toBe(`sb.credits.*.${other}.${id}`);
  });

  it.each(['run.started.now', 'Run', 'run.>', '', 'run *', '../x'])('refuses %j', (pattern) => {
    expect(() => subjectFor(pattern)).toThrow('not a pattern of events');
  });

  it('refuses a scope that is no id, or beside a subject', () => {
    expect(() => subjectFor('run', { user: '*' })).toThrow('--user is an id');
    expect(() => subjectFor('sb.run.>', { run: id })).toThrow('not with a subject');
  });
});
