import { expect, test } from 'vitest';
import { isTimeZone, usageRange } from './usage-range.ts';

const now = new Date('2026-03-01T00:00:00Z');

test('a range is thirty days until now unless said otherwise', () => {
  expect(usageRange({}, now)).toEqual({ from: new Date('2026-01-30T00:00:00Z'), to: now });
  expect(usageRange({ to: '2026-02-01T00:00:00Z' }, now).from).toEqual(new Date('2026-01-02T00:00:00Z'));
});

test.each([
  { from: '2026-02-01T00:00:00Z', to: '2026-02-01T00:00:00Z' },
  { from: '2026-02-02T00:00:00Z', to: '2026-02-01T00:00:00Z' },
  { from: '2020-01-01T00:00:00Z' },
])('a range is neither empty nor endless: %j', (asked) => {
  expect(() => usageRange(asked, now)).toThrow(RangeError);
});

test.each([
  ['Europe/Zurich', true],
  ['UTC', true],
  ['Mars/Olympus', false],
  ["UTC'; --", false],
])('%s is a time zone: %s', (name, expected) => {
  expect(isTimeZone(name)).toBe(expected);
});
