import { ApiProblem, ConnectionError } from '@swissbrain/client/problem';
import { describe, expect, it } from 'vitest';
import { CliError } from './cli-error.ts';
import { failureOf, renderFailure } from './failure.ts';
import { createStyle } from './style.ts';

const plain = createStyle(false);
const problem = (fields: Partial<ApiProblem>) =>
  new ApiProblem({
    type: 'urn:swissbrain:problem:invalid_request',
    title: 'The request is not valid',
    status: 400,
    detail: 'step "chart": needs "monthy", which does not exist',
    code: 'unknown_need',
    retry: 'never',
    instance: '/v1/runs',
    extensions: {},
    ...fields,
  });

describe('failureOf', () => {
  it('shows title, detail, extensions and code of a problem', () => {
    const text = renderFailure(failureOf(problem({ extensions: { step: 'chart' } })), plain);
    expect(text).toBe(
      [
        'error The request is not valid',
        '      step "chart": needs "monthy", which does not exist',
        '      step: chart',
        '      400 unknown_need, /v1/runs',
        '',
      ].join('\n'),
    );
  });

  it('lists every field that did not pass', () => {
    const errors = [
      { in: 'body', pointer: '/budget', detail: 'a decimal number' },
      { in: 'body', pointer: '/title', detail: 'too long' },
    ];
    expect(failureOf(problem({ extensions: { errors } })).details).toContain('errors: body/title too long');
  });

  it('maps each kind of failure to its exit status and says what to do', () => {
    expect(failureOf(problem({})).exitCode).toBe(4);
    expect(failureOf(problem({ status: 401 })).hint).toContain('swissbrain token');
    expect(failureOf(problem({ status: 503, retry: 'later' }))).toMatchObject({
      exitCode: 5,
      hint: 'The same request may succeed in a moment.',
    });
    expect(failureOf(new ConnectionError('http://here', false, new Error('x')))).toMatchObject({
      exitCode: 3,
    });
    expect(failureOf(new CliError('wrong', { hint: 'do this' }))).toMatchObject({
      exitCode: 2,
      hint: 'do this',
    });
    expect(failureOf(new Error('bug')).exitCode).toBe(5);
  });
});
