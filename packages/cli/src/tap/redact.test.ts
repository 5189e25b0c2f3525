import { describe, expect, it } from 'vitest';
import { redact } from './redact.ts';

const jwt = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U';

describe('redact', () => {
  it.each([
    'password',
    'access_token',
    'refreshToken',
    'api_key',
    'apiKey',
    'X-Api-Key',
    'Authorization',
    'client_secret',
    'set-cookie',
  ])('hides the text under %s', (key) => expect(redact({ [key]: 'value' })).toEqual({ [key]: '[redacted]' }));

  it('hides secrets of any depth', () => {
    expect(redact({ a: [{ credentials: { user: 'u' } }] })).toEqual({ a: [{ credentials: '[redacted]' }] });
  });

  it('keeps counts, ids and what only sounds alike', () => {
    const data = {
      input_tokens: 12,
      keyboard: 'k',
      step_key: 'monthly',
      operation: 'llm.default.input',
    };
    expect(redact(data)).toEqual(data);
    expect(redact({ token: 12, secret: null })).toEqual({ token: 12, secret: null });
  });

  it('hides tokens, keys and passwords inside texts', () => {
    expect(redact(`Bearer ${jwt} was refused`)).toBe('Bearer [redacted] was refused');
    expect(redact('key sk-proj-0123456789abcdefghij is wrong')).toBe('key [redacted] is wrong');
    expect(redact('postgres://app:hunter2@db:5432/x')).toBe('postgres://app:[redacted]@db:5432/x');
    expect(redact('https://host/a?expires=9&signature=abc&x=1')).toBe(
      'https://host/a?expires=9&signature=[redacted]&x=1',
    );
  });

  it('leaves other texts alone', () => {
    const text = 'step "chart" failed at 14:03: exit code 1, see https://host/docs?page=2';
    expect(redact(text)).toBe(text);
  });
});
