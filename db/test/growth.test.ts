import { randomUUID } from 'node:crypto';
import { maintainOnce } from '@swissbrain/service-kit/maintenance';
import { createTestDatabase, type TestDatabase } from '@swissbrain/testkit/database';
import { openServiceDatabase } from '@swissbrain/testkit/service-database';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { acting, openSession, refused, type Session, sqlState } from './acting.ts';

let database: TestDatabase;
let session: Session;

beforeAll(async () => {
  database = await createTestDatabase();
  session = await openSession(database.adminUrl);
});
afterAll(async () => {
  await session.end();
  await database.drop();
});

/** Appends an event of collab at a time given in SQL, published or not. */
async function append(at: string, published = true): Promise<string> {
  const id = randomUUID();
  await session.query(
    `INSERT INTO event_outbox (id, source, aggregate_type, aggregate_id, aggregate_seq, type, user_id, root_id, data, created_at, published_at)
     VALUES ($1, 'collab', 'run', $1, 1, 'run.requested', $1, $1, '{}', ${at}, ${published ? 'now()' : 'NULL'})`,
    [id],
  );
  return id;
}

/** The partition of an event: `event_outbox_2026_01`, `event_outbox_default`; none when it is gone. */
async function placeOf(id: string): Promise<string | undefined> {
  const [row] = await session.query<{ place: string }>(
    `SELECT regexp_replace(tableoid::regclass::text, '^sb_partitions\\.', '') AS place FROM event_outbox WHERE id = $1`,
    [id],
  );
  return row?.place;
}

/** The name of the partition of a month, counted from this one. */
async function partition(table: string, month: number): Promise<string> {
  const [row] = await session.query<{ name: string }>(
    `SELECT $1 || to_char(date_trunc('month', now() AT TIME ZONE 'UTC') + $2 * interval '1 month', '_YYYY_MM') AS name`,
    [table, month],
  );
  return row?.name ?? '';
}

const addMonth = (month: number) =>
  session.query(
    `SELECT sb.add_month('event_outbox', date_trunc('month', now() AT TIME ZONE 'UTC') + $1 * interval '1 month')`,
    [month],
  );

/** Maintains as a service does, until nothing is left to do; what was done. */
async function maintain(): Promise<string[]> {
  const steps: string[] = [];
  for (;;) {
    const [step] = await acting(session, 'sb_scheduler', null, (service) =>
      service.query<{ done: string | null }>('SELECT sb.maintain_partitions() AS done'),
    );
    if (step?.done == null) return steps;
    steps.push(step.done);
  }
}

describe("a month's edge", () => {
  it('parts what was inserted on its two sides, and reads go across', async () => {
    const edge = `((date_trunc('month', now() AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC')`;
    const before = await append(`${edge} - interval '1 microsecond'`);
    const after = await append(edge);
    expect(await placeOf(before)).toBe(await partition('event_outbox', 0));
    expect(await placeOf(after)).toBe(await partition('event_outbox', 1));
    const across = await session.query<{ id: string }>(
      `SELECT id FROM event_outbox WHERE created_at BETWEEN ${edge} - interval '1 second' AND ${edge} + interval '1 second'
       ORDER BY created_at`,
    );
    expect(across.map(({ id }) => id)).toEqual([before, after]);
  });
});

describe('the upkeep', () => {
  it('has nothing to do on a new database', async () => {
    expect(await maintain()).toEqual([]);
  });

  it('creates months one at a time', async () => {
    await session.query(`UPDATE sb.monthly_partitions SET months_ahead = 5 WHERE table_name = 'event_inbox'`);
    const steps = await maintain();
    expect(steps).toHaveLength(2);
    expect(steps.every((step) => /^added \d{4}-\d\d of event_inbox$/.test(step))).toBe(true);
  });

  it('drops months past their time, but none with rows that are still needed', async () => {
    for (const month of [-6, -5, -4, -3]) await addMonth(month);
    const monthsAgo = (months: number) =>
      `date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' - interval '${months} months' + interval '5 days'`;
    const [waiting, sent, young] = [
      await append(monthsAgo(6), false),
      await append(monthsAgo(5)),
      await append(monthsAgo(3)),
    ];
    expect(await maintain()).toEqual([
      `dropped ${await partition('event_outbox', -5)}`,
      `dropped ${await partition('event_outbox', -4)}`,
    ]);
    expect(await placeOf(waiting)).toBe(await partition('event_outbox', -6));
    expect(await placeOf(sent)).toBeUndefined();
    expect(await placeOf(young)).toBe(await partition('event_outbox', -3));

    await session.query('UPDATE event_outbox SET published_at = now() WHERE id = $1', [waiting]);
    expect(await maintain()).toEqual([`dropped ${await partition('event_outbox', -6)}`]);
  });

  it('deletes strays whose month is gone', async () => {
    const stray = await append(`now() - interval '2 years'`);
    const unsent = await append(`now() - interval '2 years'`, false);
    expect(await placeOf(stray)).toBe('event_outbox_default');
    expect(await maintain()).toEqual(['swept event_outbox_default']);
    expect(await placeOf(stray)).toBeUndefined();
    expect(await placeOf(unsent)).toBe('event_outbox_default');
  });

  it('keeps the ledger for good', async () => {
    const kept = await session.query(
      `SELECT table_name, keep IS NULL AS for_good FROM sb.monthly_partitions ORDER BY table_name`,
    );
    expect(kept).toEqual([
      { table_name: 'connector_usage_log', for_good: false },
      { table_name: 'credit_transactions', for_good: true },
      { table_name: 'event_inbox', for_good: false },
      { table_name: 'event_outbox', for_good: false },
      { table_name: 'scheduled_task_runs', for_good: false },
    ]);
    const [longer] = await session.query(
      `SELECT (SELECT keep FROM sb.monthly_partitions WHERE table_name = 'event_inbox')
            > (SELECT keep FROM sb.monthly_partitions WHERE table_name = 'event_outbox') AS inbox`,
    );
    expect(longer).toEqual({ inbox: true });
  });

  it('leaves the work to whoever is at it', async () => {
    const other = await openSession(database.adminUrl);
    await other.query(`BEGIN; SELECT pg_advisory_xact_lock(hashtext('sb.ensure_partitions'))`);
    await session.query(`UPDATE sb.monthly_partitions SET months_ahead = 6 WHERE table_name = 'event_inbox'`);
    expect(await maintain()).toEqual([]);
    await other.query('ROLLBACK');
    expect(await maintain()).toHaveLength(1);
    await other.end();
  });

  it('is not for users', async () => {
    await expect(
      acting(session, 'sb_collab_user', randomUUID(), (user) =>
        user.query('SELECT sb.maintain_partitions()'),
      ),
    ).rejects.toMatchObject(refused);
  });
});

describe('beside a transaction that holds the log', () => {
  it('gives up within its time, says what is in use, and does the rest', async () => {
    await session.query(`UPDATE sb.monthly_partitions SET months_ahead = 7 WHERE table_name = 'event_inbox'`);
    for (const month of [-8, -7]) await addMonth(month);
    const reader = await openSession(database.adminUrl);
    await reader.query('BEGIN; SELECT count(*) FROM event_outbox');
    expect(await maintainSteps(1)).toEqual([expect.stringMatching(/^added .* of event_inbox$/)]);
    await expect(maintain()).rejects.toMatchObject({
      ...sqlState('55P03'),
      message: expect.stringContaining('event_outbox'),
    });
    await reader.query('COMMIT');
    await reader.end();
    expect(await maintain()).toHaveLength(2);
  });

  async function maintainSteps(count: number): Promise<(string | null)[]> {
    const steps: (string | null)[] = [];
    for (let step = 0; step < count; step += 1) {
      const [row] = await session.query<{ done: string | null }>('SELECT sb.maintain_partitions() AS done');
      steps.push(row?.done ?? null);
    }
    return steps;
  }
});

describe('the maintenance of a service', () => {
  it('does the upkeep and forgets stored answers after 24 hours, its own alone', async () => {
    const userId = randomUUID();
    await session.query(
      `INSERT INTO api_idempotency (user_id, source, route, key, request_hash, created_at)
       SELECT $1, source, 'POST /v1/things', 'key-' || hours, 'hash', now() - hours * interval '1 hour'
       FROM unnest(ARRAY['collab', 'credits']) AS source, unnest(ARRAY[1, 23, 25, 100]) AS hours`,
      [userId],
    );
    await addMonth(-9);
    const service = openServiceDatabase('collab', database);
    await maintainOnce(service);
    await maintainOnce(service);
    await service.close();
    const left = await session.query(
      'SELECT source, count(*)::int AS rows FROM api_idempotency WHERE user_id = $1 GROUP BY source ORDER BY source',
      [userId],
    );
    expect(left).toEqual([
      { source: 'collab', rows: 2 },
      { source: 'credits', rows: 4 },
    ]);
    const [month] = await session.query('SELECT to_regclass($1) AS there', [
      `sb_partitions.${await partition('event_outbox', -9)}`,
    ]);
    expect(month).toEqual({ there: null });
  });
});
