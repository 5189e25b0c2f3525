import { describe, expect, it } from 'vitest';
import { decodeCursor, encodeCursor, pageQuery } from './cursor.ts';

const id = '3b241101-e2bb-4255-8caf-4136c566a962';

describe('cursor', () => {
  it('keeps the microseconds that Postgres printed', () => {
    const position = { createdAt: '2026-01-31 10:00:00.123456+00', id };
    expect(decodeCursor(encodeCursor(position))).toEqual(position);
  });
  it('takes a Date as well', () => {
    const cursor = encodeCursor({ createdAt: new Date('2026-01-31T10:00:00.123Z'), id });
    expect(decodeCursor(cursor)).toEqual({ createdAt: '2026-01-31T10:00:00.123Z', id });
  });
  it.each(['', 'x', '!!', btoa('{}'), btoa('["now", "x"]'), btoa(JSON.stringify([`2026-01-31'; --`, id]))])(
    'refuses %j',
    (text) => {
      expect(() => decodeCursor(text)).toThrow(
        expect.objectContaining({ status: 400, code: 'invalid_cursor' }),
      );
    },
  );
  it('comes with a bounded limit', () => {
    expect(pageQuery.parse({})).toEqual({ limit: 20 });
    expect(pageQuery.parse({ limit: '100' })).toEqual({ limit: 100 });
    for (const limit of ['0', '101', '1.5', 'x']) expect(pageQuery.safeParse({ limit }).success).toBe(false);
  });
});
