import { describe, expect, it } from 'vitest';
import { AppError, defineErrors, describeError } from './errors.ts';
import { toProblem } from './http-errors.ts';

describe('errors', () => {
  const errors = defineErrors({
    run_not_found: { status: 404, title: 'No such run' },
    busy: { status: 503, title: 'Busy', retry: 'later' },
  });

  it('come from a table, and become problem documents', () => {
    const error = errors.run_not_found('there is no run 1', { run: '1' });
    expect(error).toBeInstanceOf(AppError);
    expect(error.retry).toBe('never');
    expect(errors.busy('wait').retry).toBe('later');
    expect(toProblem(error, '/v1/runs/1')).toEqual({
      type: 'urn:swissbrain:problem:run_not_found',
      title: 'No such run',
      status: 404,
      detail: 'there is no run 1',
      code: 'run_not_found',
      instance: '/v1/runs/1',
      run: '1',
    });
  });
  it('are described with their causes', () => {
    expect(describeError(new Error('outer', { cause: new Error('inner') }))).toBe('outer: inner');
    expect(describeError('text')).toBe('text');
  });
});
