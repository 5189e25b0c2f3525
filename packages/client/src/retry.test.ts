import { describe, expect, it } from 'vitest';
import { ApiProblem, ConnectionError } from './problem.ts';
import { backoffMs, isTransient, pause, withRetry } from './retry.ts';

const policy = { attempts: 3, baseMs: 1, capMs: 4 };
const problem = (status: number, retry: 'never' | 'later') =>
  new ApiProblem({
    type: 'about:blank',
    title: 'No',
    status,
    detail: '',
    code: 'no',
    retry,
    instance: null,
    extensions: {},
  });

describe('backoffMs', () => {
  it('grows exponentially to the cap and keeps at least half of the ceiling', () => {
    const longest = [1, 2, 3, 4, 5].map((attempt) =>
      backoffMs({ ...policy, baseMs: 100, capMs: 700 }, attempt, () => 1),
    );
    expect(longest).toEqual([100, 200, 400, 700, 700]);
    expect(backoffMs({ ...policy, baseMs: 100, capMs: 700 }, 1, () => 0)).toBe(50);
  });
});

describe('isTransient', () => {
  it('is true for lost connections and for problems the server calls passing', () => {
    expect(isTransient(new ConnectionError('http://here', false, null))).toBe(true);
    expect(isTransient(problem(503, 'later'))).toBe(true);
    expect(isTransient(problem(422, 'never'))).toBe(false);
    expect(isTransient(new Error('bug'))).toBe(false);
  });
});

describe('withRetry', () => {
  it('returns the first success', async () => {
    let calls = 0;
    const result = await withRetry(policy, undefined, async () => {
      calls += 1;
      if (calls < 3) throw problem(503, 'later');
      return calls;
    });
    expect(result).toBe(3);
  });

  it('gives up with the last error after the last attempt', async () => {
    let calls = 0;
    const attempt = async () => {
      calls += 1;
      throw new ConnectionError(`http://attempt/${calls}`, false, null);
    };
    await expect(withRetry(policy, undefined, attempt)).rejects.toThrow('http://attempt/3');
    expect(calls).toBe(3);
  });

  it('does not repeat what will never succeed', async () => {
    let calls = 0;
    const attempt = async () => {
      calls += 1;
      throw problem(404, 'never');
    };
    await expect(withRetry(policy, undefined, attempt)).rejects.toThrow(ApiProblem);
    expect(calls).toBe(1);
  });
});

describe('pause', () => {
  it('ends with the reason of the signal', async () => {
    const controller = new AbortController();
    const waiting = pause(60_000, controller.signal);
    controller.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });
});
