import { createTestDatabase, type TestDatabase } from '@swissbrain/testkit/database';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database?.drop());

/** Changes of clocks of one hour and of half an hour, in both halves of the world, and at midnight. */
const zones = [
  ...['UTC', 'Europe/Zurich', 'America/New_York', 'Australia/Lord_Howe', 'Pacific/Apia', 'Asia/Kathmandu'],
  ...['America/Sao_Paulo', 'Africa/Cairo', 'Asia/Tehran', 'Pacific/Kiritimati'],
];

interface Tiling {
  readonly contains: boolean;
  /** That the next one begins where this ends, and the one before ends where this begins. */
  readonly next: boolean;
  readonly previous: boolean;
  readonly numbered: boolean;
  readonly start: string;
  readonly anchor: string;
  readonly number: number;
}

async function tilingAt(anchor: string, zone: string, at: string): Promise<Tiling | undefined> {
  const [row] = await database.query<Tiling>(
    `SELECT p.period_start <= $3::timestamptz AND $3::timestamptz < p.period_end AS contains,
            n.period_start = p.period_end AS next, b.period_end = p.period_start AS previous,
            n.number = p.number + 1 AND b.number = p.number - 1 AS numbered, p.number,
            to_char(p.period_start AT TIME ZONE $2, 'YYYY-MM-DD HH24:MI') AS start,
            to_char($1::timestamptz AT TIME ZONE $2, 'YYYY-MM-DD HH24:MI') AS anchor
     FROM sb.billing_period($1, $2, $3) p, sb.billing_period($1, $2, p.period_end) n,
          sb.billing_period($1, $2, p.period_start - interval '1 microsecond') b`,
    [anchor, zone, at],
  );
  return row;
}

/** The day on which the nth month after a day begins: the same day of its month, or the last where that is shorter. */
function dayAfter(anchor: string, months: number): string {
  const [year = 0, month = 0, day = 0] = anchor.slice(0, 10).split('-').map(Number);
  const last = new Date(Date.UTC(year, month + months, 0)).getUTCDate();
  const first = new Date(Date.UTC(year, month - 1 + months, Math.min(day, last)));
  return first.toISOString().slice(0, 10);
}

const moment = fc
  .date({ min: new Date('2020-01-01T00:00:00Z'), max: new Date('2048-12-31T00:00:00Z'), noInvalidDate: true })
  .map((date) => date.toISOString());

test('whatever the anchor, the zone and the moment: exactly one period, next to its neighbours, counted from the anchor', async () => {
  await fc.assert(
    fc.asyncProperty(moment, fc.constantFrom(...zones), moment, async (anchor, zone, at) => {
      const found = await tilingAt(anchor, zone, at);
      expect(found).toMatchObject({ contains: true, next: true, previous: true, numbered: true });
      const { start = '', number = 0, anchor: local = '' } = found ?? {};
      expect(start.slice(0, 10)).toBe(dayAfter(local, number));
    }),
    { numRuns: 400 },
  );
});

test.each(['Europe/Zurich', 'America/New_York', 'Australia/Lord_Howe'])(
  '29, 30 and 31 January meet 29 February in leap years and come back in March, in %s',
  async (zone) => {
    for (const day of ['29', '30', '31']) {
      const [row] = await database.query<{ anchor: string }>(
        `SELECT ($1::timestamp AT TIME ZONE $2)::text AS anchor`,
        [`2028-01-${day} 23:30`, zone],
      );
      const startsIn = async (month: string) =>
        (await tilingAt(row?.anchor ?? '', zone, `${month}-15T12:00:00Z`))?.start;
      // The period that contains the middle of a month has begun in the month before.
      expect(await startsIn('2028-03')).toBe('2028-02-29 23:30');
      expect(await startsIn('2029-03')).toBe('2029-02-28 23:30');
      expect(await startsIn('2032-03')).toBe('2032-02-29 23:30');
      expect(await startsIn('2028-04')).toBe(`2028-03-${day} 23:30`);
    }
  },
);

test.each([
  ['Europe/Zurich', '2028-02-29 02:30', '2028-03-26 12:00', '2028-02-29 02:30'],
  // 02:30 on 26 March 2028 is left out in Zurich, 02:30 on 12 March in New York, 02:15 on 1 October in Lord Howe.
  ['Europe/Zurich', '2028-01-26 02:30', '2028-03-27 00:00', '2028-03-26 03:30'],
  ['America/New_York', '2028-02-12 02:30', '2028-03-13 00:00', '2028-03-12 03:30'],
  ['Australia/Lord_Howe', '2028-09-01 02:15', '2028-10-02 00:00', '2028-10-01 02:45'],
])('in %s, from %s on, the period of %s begins at %s', async (zone, anchor, at, start) => {
  const [row] = await database.query<{ anchor: string; at: string }>(
    'SELECT ($1::timestamp AT TIME ZONE $3)::text AS anchor, ($2::timestamp AT TIME ZONE $3)::text AS at',
    [anchor, at, zone],
  );
  expect((await tilingAt(row?.anchor ?? '', zone, row?.at ?? ''))?.start).toBe(start);
});
