import { describe, expect, it } from 'vitest';
import { pauseBefore } from './retry.ts';

describe('the pause before a call is made again', () => {
  const retry = { attempts: 8, backoff_seconds: 4 };

  it('doubles up to a minute, and ends with the calls that are allowed', () => {
    const pauses = Array.from({ length: 8 }, (_, place) => pauseBefore(retry, 'tool_timeout', place + 1));
    expect(pauses).toEqual([4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000, null]);
  });

  it('is none without a retry, and after a failure that would be the same again', () => {
    expect(pauseBefore(undefined, 'tool_timeout', 1)).toBeNull();
    expect(pauseBefore(retry, 'approval_denied', 1)).toBeNull();
    expect(pauseBefore(retry, 'bad_input', 1)).toBeNull();
  });
});
