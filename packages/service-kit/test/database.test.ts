import { randomUUID } from 'node:crypto';
import { afterCommit, createDatabase, type Database } from '@swissbrain/service-kit/database';
import { AppError } from '@swissbrain/service-kit/errors';
import { createTestDatabase, type TestDatabase } from '@swissbrain/testkit/database';
import { serviceEnvironment } from '@swissbrain/testkit/environment';
import { startFreezingProxy } from '@swissbrain/testkit/freezing-proxy';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { baseConfigSchema, parseConfig } from '../src/config.ts';
import { maintainOnce } from '../src/maintenance.ts';
import { principal, quietLog } from './stack.ts';

let clone: TestDatabase;
let database: Database;

beforeAll(async () => {
  clone = await createTestDatabase();
  const unused = { url: 'redis://127.0.0.1:1' };
  const environment = serviceEnvironment('credits', { database: clone, nats: unused, redis: unused });
  const config = parseConfig(baseConfigSchema, { ...environment, DATABASE_STATEMENT_TIMEOUT_MS: '2000' });
  database = createDatabase({ service: 'credits', config, log: quietLog });
  await clone.query(
    'CREATE TABLE kit_notes (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id uuid, text text)',
  );
  await clone.query('ALTER TABLE kit_notes ENABLE ROW LEVEL SECURITY');
  await clone.query(
    'CREATE POLICY own ON kit_notes TO sb_credits_user USING (user_id = sb.current_user_id())',
  );
  await clone.query('CREATE POLICY all_rows ON kit_notes TO sb_credits USING (true)');
  await clone.query('GRANT SELECT, INSERT ON kit_notes TO sb_credits_user, sb_credits');
  await clone.query('CREATE TABLE kit_deferred (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)');
  await clone.query('GRANT SELECT, INSERT ON kit_deferred TO sb_credits');
});
afterAll(async () => {
  await database.close();
  await clone.drop();
});
beforeEach(async () => void (await clone.query('TRUNCATE kit_notes, kit_deferred')));

const note = (text: string, userId: string) =>
  sql`INSERT INTO kit_notes (user_id, text) VALUES (${userId}, ${text})`;
const count = sql<{ n: bigint }>`SELECT count(*) AS n FROM kit_notes`;

describe('roles and users', () => {
  it('keeps users apart and lets the service see all', async () => {
    const [alice, bob] = [principal(), principal()];
    await database.withUser(alice, (tx) => note('a', alice.userId).execute(tx));
    await database.withUser(bob, (tx) => note('b', bob.userId).execute(tx));
    const seen = await database.withUser(
      alice,
      async (tx) => (await sql<{ text: string }>`SELECT text FROM kit_notes`.execute(tx)).rows,
    );
    expect(seen).toEqual([{ text: 'a' }]);
    expect(await database.serviceStatement(count)).toEqual([{ n: 2n }]);
  });

  it('refuses a row for another user', async () => {
    const refused = database.withUser(principal(), (tx) => note('forged', randomUUID()).execute(tx));
    await expect(refused).rejects.toMatchObject({ code: '42501' });
  });

  it('runs as the roles of the service and leaves nothing behind on the connection', async () => {
    const who = sql<{ role: string; claims: string | null }>`
      SELECT current_user AS role, current_setting('request.jwt.claims', true) AS claims`;
    const alice = principal();
    const [asUser] = await database.withUser(alice, async (tx) => (await who.execute(tx)).rows);
    expect(asUser?.role).toBe('sb_credits_user');
    expect(JSON.parse(asUser?.claims ?? '')).toEqual(alice.claims);
    const [asService] = await database.serviceStatement(who);
    expect(asService?.role).toBe('sb_credits');
    expect(asService?.claims ?? '').toBe('');
  });

  it('takes claims as data, whatever they contain', async () => {
    const hostile = `'; DROP TABLE kit_notes; --\\'; SELECT '\u0000\ud800"`;
    const claims = { sub: randomUUID(), name: hostile, "it's": ['\\', "'", '$$', '\n'] };
    const read = sql<{ claims: unknown }>`SELECT current_setting('request.jwt.claims') AS claims`;
    const rows = await database.withUser(
      { ...principal(), claims },
      async (tx) => (await read.execute(tx)).rows,
    );
    expect(rows[0]?.claims).toBe(JSON.stringify(claims));
  });

  it('fails without a user instead of showing nothing', async () => {
    const nobody = { ...principal(), claims: {} };
    await expect(database.withUser(nobody, (tx) => count.execute(tx))).rejects.toMatchObject({
      code: '42501',
    });
  });
});

describe('the end of a transaction', () => {
  it('rolls back when the work throws, and runs no hook', async () => {
    let called = false;
    const alice = principal();
    const failing = database.withUser(alice, async (tx) => {
      afterCommit(tx, () => {
        called = true;
      });
      await note('lost', alice.userId).execute(tx);
      throw new Error('changed my mind');
    });
    await expect(failing).rejects.toThrow('changed my mind');
    expect(called).toBe(false);
    expect(await database.serviceStatement(count)).toEqual([{ n: 0n }]);
  });

  it('runs hooks after the commit', async () => {
    let seen: Promise<unknown> = Promise.resolve();
    await database.withService(async (tx) => {
      await note('kept', randomUUID()).execute(tx);
      afterCommit(tx, () => {
        seen = clone.query('SELECT count(*) AS n FROM kit_notes');
      });
    });
    expect(await seen).toEqual([{ n: 1n }]);
  });

  it('never reports success for a transaction whose failure was swallowed', async () => {
    const swallowing = database.withService(async (tx) => {
      await note('lost', randomUUID()).execute(tx);
      await sql`SELECT 1 / 0`.execute(tx).catch(() => {});
    });
    await expect(swallowing).rejects.toThrow(/rolled back/);
    expect(await database.serviceStatement(count)).toEqual([{ n: 0n }]);
  });

  it('reports a failure that only COMMIT finds, with either helper', async () => {
    const twice = sql`INSERT INTO kit_deferred VALUES (1), (1)`;
    await expect(database.withService((tx) => twice.execute(tx))).rejects.toMatchObject({ code: '23505' });
    await expect(database.serviceStatement(twice)).rejects.toMatchObject({ code: '23505' });
    expect(await clone.query('SELECT * FROM kit_deferred')).toEqual([]);
  });

  it('reports the failure of a single statement and goes on', async () => {
    await expect(database.serviceStatement(sql`SELECT 1 / 0`)).rejects.toMatchObject({ code: '22012' });
    expect(await database.serviceStatement(sql`SELECT 1 AS one`)).toEqual([{ one: 1 }]);
  });

  it('refuses a handle whose transaction has ended', async () => {
    const leaked = await database.withService(async (tx) => tx);
    await expect(count.execute(leaked)).rejects.toThrow(/has ended/);
    expect(() => afterCommit(leaked.withSchema('x') as typeof leaked, () => {})).toThrow(/not the handle/);
  });

  it('refuses a second transaction on a handle', async () => {
    const nested = database.withService((tx) => tx.transaction().execute(async () => {}));
    await expect(nested).rejects.toThrow(/withUser and withService/);
  });
});

describe('statements', () => {
  it('reads int8 as bigint, numeric and date as text, timestamptz as Date, json parsed', async () => {
    const [row] = await database.serviceStatement(sql`
      SELECT 9007199254740993::int8 AS big, ARRAY[1, 2]::int8[] AS bigs, 1.10::numeric AS exact,
             '2026-01-31'::date AS day, '2026-01-31T10:00:00Z'::timestamptz AS moment, '{"a": [1]}'::jsonb AS json`);
    expect(row).toEqual({
      big: 9007199254740993n,
      bigs: [1n, 2n],
      exact: '1.10',
      day: '2026-01-31',
      moment: new Date('2026-01-31T10:00:00Z'),
      json: { a: [1] },
    });
  });

  it('prepares statements that come back', async () => {
    const one = sql<{ prepared: bigint }>`
      SELECT count(*) AS prepared FROM pg_prepared_statements WHERE statement LIKE '%kit_marker%'`;
    const hot = (value: number) => sql`SELECT ${value}::int AS kit_marker`;
    await database.withService(async (tx) => {
      for (let round = 0; round < 10; round += 1)
        expect((await hot(round).execute(tx)).rows).toEqual([{ kit_marker: round }]);
      expect((await one.execute(tx)).rows).toEqual([{ prepared: 1n }]);
    });
  });

  it('keeps going with a prepared statement whose first run failed', async () => {
    const divide = (by: number) => sql<{ result: number }>`SELECT 10 / ${by}::int AS result`;
    for (let round = 0; round < 6; round += 1) {
      await expect(database.serviceStatement(divide(0))).rejects.toMatchObject({ code: '22012' });
    }
    for (let round = 0; round < 6; round += 1)
      expect(await database.serviceStatement(divide(5))).toEqual([{ result: 2 }]);
  });

  it('survives a plan that a migration has outdated', async () => {
    const all = sql`SELECT * FROM kit_changing`;
    await clone.query('CREATE TABLE kit_changing (a int)');
    await clone.query('GRANT SELECT ON kit_changing TO sb_credits');
    for (let round = 0; round < 8; round += 1) await database.serviceStatement(all);
    await clone.query('ALTER TABLE kit_changing ADD COLUMN b int');
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, () => database.serviceStatement(all)),
    );
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected')
        expect(outcome.reason).toMatchObject({ code: 'database_conflict', retry: 'later' });
    }
    expect(await database.serviceStatement(all)).toEqual([]);
  });
});

describe('failures of the infrastructure', () => {
  it('are retry later: lost connections', async () => {
    const cut = database.withService(async (tx) => {
      const [own] = (await sql<{ pid: number }>`SELECT pg_backend_pid() AS pid`.execute(tx)).rows;
      await clone.query('SELECT pg_terminate_backend($1)', [own?.pid]);
      await note('lost', randomUUID()).execute(tx);
    });
    await expect(cut).rejects.toMatchObject({ code: 'database_unavailable', retry: 'later' });
    expect(await database.serviceStatement(count)).toEqual([{ n: 0n }]);
  });

  it('are retry later: a server that has vanished without a word, and new connections are made', async () => {
    const unused = { url: 'redis://127.0.0.1:1' };
    const environment = serviceEnvironment('credits', { database: clone, nats: unused, redis: unused });
    const proxy = await startFreezingProxy(environment.DATABASE_URL ?? '');
    const given = { DATABASE_URL: proxy.url, DATABASE_STATEMENT_TIMEOUT_MS: '500', DATABASE_POOL_SIZE: '1' };
    const config = parseConfig(baseConfigSchema, { ...environment, ...given });
    const far = createDatabase({ service: 'credits', config, log: quietLog });
    try {
      for (const ask of [
        () => far.serviceStatement(count),
        () => far.withService((tx) => count.execute(tx)),
      ]) {
        await ask();
        proxy.freeze();
        await expect(ask()).rejects.toMatchObject({ code: 'database_unavailable', retry: 'later' });
        await ask();
      }
    } finally {
      await far.close();
      await proxy.stop();
    }
  });

  it('are retry later: the statement timeout', async () => {
    const slow = database.serviceStatement(sql`SELECT pg_sleep(10)`);
    await expect(slow).rejects.toMatchObject({ code: 'database_timeout', retry: 'later' });
  });

  it('are retry later: deadlocks', async () => {
    const locks = [1, 2].map((key) => sql`SELECT pg_advisory_xact_lock(${key})`);
    const ready = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const;
    const take = (first: number, second: number) =>
      database.withService(async (tx) => {
        await locks[first]?.execute(tx);
        ready[first === 0 ? 0 : 1].resolve();
        await Promise.all(ready.map(({ promise }) => promise));
        await locks[second]?.execute(tx);
      });
    const outcomes = await Promise.allSettled([take(0, 1), take(1, 0)]);
    const lost = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(lost).toHaveLength(1);
    expect(lost[0]?.reason).toBeInstanceOf(AppError);
    expect(lost[0]?.reason).toMatchObject({ code: 'database_conflict', retry: 'later' });
  });

  it('a role that may not be taken leaves the connection unused', async () => {
    const unused = { url: 'redis://127.0.0.1:1' };
    const environment = serviceEnvironment('collab', { database: clone, nats: unused, redis: unused });
    const config = parseConfig(baseConfigSchema, environment);
    const foreign = createDatabase({ service: 'credits', config, log: quietLog });
    try {
      await expect(foreign.serviceStatement(sql`SELECT 1`)).rejects.toMatchObject({ code: '42501' });
      await expect(foreign.withService((tx) => count.execute(tx))).rejects.toThrow(
        /permission denied to set role/,
      );
    } finally {
      await foreign.close();
    }
  });
});

describe('maintenance', () => {
  it('forgets stored answers after a day and creates partitions ahead', async () => {
    await clone.query(
      `INSERT INTO api_idempotency (user_id, source, route, key, request_hash, created_at)
       SELECT gen_random_uuid(), source, 'POST /v1/x', 'key', 'hash', now() - age
       FROM unnest(ARRAY['credits', 'collab']) AS source, unnest(ARRAY[interval '25 hours', interval '23 hours']) AS age`,
    );
    await clone.query('DELETE FROM sb.monthly_partitions WHERE table_name <> $1', ['event_inbox']);
    await clone.query('UPDATE sb.monthly_partitions SET months_ahead = 5');
    const partitions = `SELECT count(*)::int AS n FROM pg_inherits WHERE inhparent = 'event_inbox'::regclass`;
    const [before] = await clone.query<{ n: number }>(partitions);
    await maintainOnce(database);
    const [after] = await clone.query<{ n: number }>(partitions);
    expect((after?.n ?? 0) - (before?.n ?? 0)).toBe(2);
    expect(
      await clone.query('SELECT source, count(*)::int AS n FROM api_idempotency GROUP BY 1 ORDER BY 1'),
    ).toEqual([
      { source: 'collab', n: 2 },
      { source: 'credits', n: 1 },
    ]);
  });
});
