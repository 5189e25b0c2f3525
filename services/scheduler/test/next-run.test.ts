import type { Database } from '@swissbrain/service-kit/database';
import { createTestDatabase, type TestDatabase } from '@swissbrain/testkit/database';
import { openServiceDatabase } from '@swissbrain/testkit/service-database';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

let clone: TestDatabase;
let database: Database;
beforeAll(async () => {
  clone = await createTestDatabase();
  database = openServiceDatabase('scheduler', clone);
});
afterAll(async () => {
  await database?.close();
  await clone?.drop();
});

interface Timing {
  readonly kind: string | null;
  readonly after: string | null;
  readonly seconds?: number;
  readonly anchor?: string;
  readonly at?: string;
}

async function nextRun({ kind, after, seconds, anchor, at }: Timing): Promise<string | null> {
  const [row] = await database.serviceStatement(sql<{ next: Date | null }>`
    SELECT calculate_next_run(${kind}, ${after}::timestamptz, ${seconds ?? null}::bigint,
      ${anchor ?? null}::timestamptz, ${at ?? null}::timestamptz) AS next`);
  return row?.next?.toISOString() ?? null;
}

const anchor = '2026-01-01T00:00:00.000Z';

describe('calculate_next_run', () => {
  test.each([
    ['before the anchor it is the anchor', '2025-06-01T00:00:00Z', 60, anchor],
    ['at the anchor it is the slot after it', anchor, 60, '2026-01-01T00:01:00.000Z'],
    ['just before a slot it is that slot', '2026-01-01T00:00:59.999999Z', 60, '2026-01-01T00:01:00.000Z'],
    ['at a slot it is the next one', '2026-01-01T00:01:00Z', 60, '2026-01-01T00:02:00.000Z'],
    ['a late firing shifts nothing', '2026-01-01T00:17:43Z', 600, '2026-01-01T00:20:00.000Z'],
    ['it needs no step per slot that passed', '2126-01-01T00:00:00.5Z', 1, '2126-01-01T00:00:01.000Z'],
    // A day is 86,400 seconds, whatever the clocks in some country do in March.
    ['it knows no summer time', '2026-03-29T12:00:00Z', 86_400, '2026-03-30T00:00:00.000Z'],
  ])('of an interval: %s', async (_name, after, seconds, expected) => {
    expect(await nextRun({ kind: 'interval', after, seconds, anchor })).toBe(expected);
  });

  test.each([
    ['before its time', '2026-04-30T23:59:59Z', '2026-05-01T00:00:00.000Z'],
    ['at its time', '2026-05-01T00:00:00Z', null],
    ['after it', '2026-05-02T00:00:00Z', null],
  ])('of a one-time schedule %s', async (_name, after, expected) => {
    expect(await nextRun({ kind: 'once', after, at: '2026-05-01T00:00:00Z' })).toBe(expected);
  });

  test.each<[string, Timing, string]>([
    ['cron, which the service evaluates', { kind: 'cron', after: anchor }, '22023'],
    ['an unknown kind', { kind: 'lunar', after: anchor }, '22023'],
    ['no kind', { kind: null, after: anchor }, '22023'],
    ['no time to start from', { kind: 'once', after: null, at: anchor }, '22004'],
    ['an interval without seconds', { kind: 'interval', after: anchor, anchor }, '22023'],
    ['an interval of nothing', { kind: 'interval', after: anchor, anchor, seconds: 0 }, '22023'],
    ['an interval without an anchor', { kind: 'interval', after: anchor, seconds: 60 }, '22023'],
    ['a one-time schedule without a time', { kind: 'once', after: anchor }, '22023'],
  ])('refuses %s', async (_name, timing, code) => {
    await expect(nextRun(timing)).rejects.toMatchObject({ code });
  });
});
