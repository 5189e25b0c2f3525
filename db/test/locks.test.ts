import { randomUUID } from 'node:crypto';
import type { TestDatabase } from '@swissbrain/testkit/database';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { migrate, rollback } from '../migrate.ts';
import { openSession, type Session } from './acting.ts';
import { createFilledDatabase, fillTimeoutMs } from './filled.ts';

let database: TestDatabase;
let session: Session;

beforeAll(async () => {
  database = await createFilledDatabase();
  session = await openSession(database.adminUrl);
}, fillTimeoutMs);
afterAll(async () => {
  await session.end();
  await database.drop();
});

const appendEvent = `
  INSERT INTO event_outbox (source, aggregate_type, aggregate_id, aggregate_seq, type, user_id, root_id, data)
  VALUES ('credits', 'user', $1, 1, 'user.created', $1, $1, '{}')`;
const readEvents = `SELECT count(*) FROM event_outbox WHERE source = 'credits' AND published_at IS NULL`;

/** Writes to and reads from the log in short transactions while `work` lasts; fails when a lock takes over a second. */
async function besideWriters<T>(work: () => Promise<T>): Promise<{ result: T; transactions: number }> {
  let running = true;
  let transactions = 0;
  const writer = async (): Promise<void> => {
    const own = await openSession(database.adminUrl);
    try {
      await own.query(`SET lock_timeout = '1s'`);
      while (running || transactions === 0) {
        await own.query(appendEvent, [randomUUID()]);
        await own.query(readEvents);
        transactions += 1;
      }
    } finally {
      await own.end();
    }
  };
  const writers = [writer(), writer()];
  try {
    const result = await work();
    return { result, transactions };
  } finally {
    running = false;
    await Promise.all(writers);
  }
}

it('writers of a log that is full wait for its upkeep for less than a second', async () => {
  const maintain = async () => {
    const steps: string[] = [];
    for (;;) {
      const [step] = await session.query<{ done: string | null }>('SELECT sb.maintain_partitions() AS done');
      if (step?.done == null) return steps;
      steps.push(step.done);
    }
  };
  await session.query(
    `UPDATE sb.monthly_partitions SET months_ahead = 4, keep = '1 month' WHERE keep IS NOT NULL`,
  );
  await session.query('UPDATE event_outbox SET published_at = now() WHERE published_at IS NULL');
  const { result, transactions } = await besideWriters(maintain);
  // Of the four logs with an end: a month ahead each, and what lies behind but for firings that never ended.
  expect(result.filter((step) => step.startsWith('added'))).toHaveLength(4);
  expect(result.filter((step) => step.startsWith('dropped event_outbox'))).toHaveLength(2);
  expect(transactions).toBeGreaterThan(0);
});

it('comes down one migration at a time with its rows in place, and up again', async () => {
  const url = database.adminUrl;
  for (let left = 6; left >= 0; left -= 1) {
    await rollback({ url, steps: 1 });
    const tables = await session.query(
      `SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname <> 'schema_migrations'`,
    );
    if (left === 0) expect(tables).toEqual([]);
    else expect(tables.length).toBeGreaterThan(0);
  }
  await migrate({ url });
  expect(await session.query('SELECT count(*)::int AS tiers FROM subscription_tiers')).toEqual([
    { tiers: 4 },
  ]);
});
