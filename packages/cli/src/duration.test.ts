import { describe, expect, it } from 'vitest';
import { parseSince } from './duration.ts';

const now = new Date('2026-01-13T14:00:00Z');

describe('parseSince', () => {
  it.each([
    ['90s', '2026-01-13T13:58:30.000Z'],
    ['1d', '2026-01-12T14:00:00.000Z'],
    ['2026-01-13', '2026-01-13T00:00:00.000Z'],
    ['2026-01-13T12:30Z', '2026-01-13T12:30:00.000Z'],
    ['2026-01-13T12:30:15.250+02:00', '2026-01-13T10:30:15.250Z'],
  ])('reads %s', (text, time) => expect(parseSince(text, now).toISOString()).toBe(time));

  it.each(['', 'yesterday', '10', '10 minutes', '2026-13-45T00:00Z', '14:00'])('refuses %j', (text) => {
    expect(() => parseSince(text, now)).toThrow(/not a (duration|time)/);
  });
});
