import { createTestDatabase, type TestDatabase } from '@swissbrain/testkit/database';
import { serviceEnvironment } from '@swissbrain/testkit/environment';
import type { Pool, QueryConfig } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { baseConfigSchema, parseConfig } from '../src/config.ts';
import { isRolledBack } from '../src/database-errors.ts';
import { fly } from '../src/database-flight.ts';
import { acquire, type Connection, createPool } from '../src/database-pool.ts';
import { quietLog } from './stack.ts';

let clone: TestDatabase;
let pool: Pool;
let client: Connection;

beforeAll(async () => {
  clone = await createTestDatabase();
  await clone.query('CREATE TABLE kit_flown (n int PRIMARY KEY, u int UNIQUE DEFERRABLE INITIALLY DEFERRED)');
  await clone.query('GRANT SELECT, INSERT ON kit_flown TO sb_credits');
  const unused = { url: 'redis://127.0.0.1:1' };
  const environment = serviceEnvironment('credits', { database: clone, nats: unused, redis: unused });
  const config = parseConfig(baseConfigSchema, { ...environment, DATABASE_POOL_SIZE: '1' });
  pool = createPool('credits', config, quietLog);
});
afterAll(async () => {
  await pool.end();
  await clone.drop();
});
beforeEach(async () => {
  await clone.query('TRUNCATE kit_flown');
  // Each on a connection that has nothing prepared.
  client = await acquire(pool);
  return () => client.release(true);
});

const asService: QueryConfig = {
  name: 'as',
  text: `SELECT set_config('role', $1, true)`,
  values: ['sb_credits'],
};
const insert = (n: number, name?: string): QueryConfig => ({
  ...(name === undefined ? {} : { name }),
  text: 'INSERT INTO kit_flown (n, u) VALUES ($1, $1) RETURNING n',
  values: [n],
});
const stored = async () =>
  (await clone.query<{ n: number }>('SELECT n FROM kit_flown ORDER BY n')).map(({ n }) => n);
const rowsOf = async (statements: readonly QueryConfig[], opening: readonly QueryConfig[] = [asService]) =>
  (await fly(client, opening, statements)).map(({ rows }) => rows as unknown);
const role: QueryConfig = { text: 'SELECT current_user::text AS role' };

describe('statements in one flight', () => {
  it('answer in order, with rows and without, and commit together', async () => {
    const silent: QueryConfig = { text: 'INSERT INTO kit_flown (n) VALUES (7)' };
    expect(await rowsOf([insert(1), silent, { ...role }, insert(2, 'i')])).toEqual([
      [{ n: 1 }],
      [],
      [{ role: 'sb_credits' }],
      [{ n: 2 }],
    ]);
    expect(await stored()).toEqual([1, 2, 7]);
  });

  it('leave no setting behind', async () => {
    const before = await rowsOf([role], []);
    await rowsOf([role]);
    expect(await rowsOf([role], [])).toEqual(before);
    expect(before).not.toEqual([[{ role: 'sb_credits' }]]);
  });

  it('all fail with one of them, and the connection goes on with what was prepared before it', async () => {
    const failure = await fly(client, [asService], [insert(1, 'a'), insert(1, 'b'), insert(2, 'c')]).catch(
      (thrown: unknown) => thrown,
    );
    expect(failure).toMatchObject({ code: '23505' });
    expect(isRolledBack(failure)).toBe(true);
    expect(await stored()).toEqual([]);
    expect(await rowsOf([insert(3, 'a'), insert(4, 'b'), insert(5, 'c')])).toEqual([
      [{ n: 3 }],
      [{ n: 4 }],
      [{ n: 5 }],
    ]);
    const { rows } = await client.query<{ name: string }>(
      'SELECT name FROM pg_prepared_statements ORDER BY 1',
    );
    expect(rows.map(({ name }) => name)).toEqual(['a', 'as', 'b', 'c']);
  });

  it('goes on behind a statement that cannot be parsed', async () => {
    await expect(
      fly(client, [asService], [{ name: 'x', text: 'SELECT nothing' }, insert(1, 'a')]),
    ).rejects.toMatchObject({ code: '42703' });
    expect(await rowsOf([{ name: 'x', text: 'SELECT 1 AS one' }, insert(1, 'a')])).toEqual([
      [{ one: 1 }],
      [{ n: 1 }],
    ]);
  });

  it('all fail with what only the commit finds', async () => {
    const twice: QueryConfig = { text: 'INSERT INTO kit_flown (n, u) VALUES (1, 1), (2, 1)' };
    const failure = await fly(client, [asService], [twice]).catch((thrown: unknown) => thrown);
    expect(failure).toMatchObject({ code: '23505' });
    expect(isRolledBack(failure)).toBe(true);
    expect(await stored()).toEqual([]);
  });

  it('are not sent when a value cannot be, and the connection goes on', async () => {
    const endless: Record<string, unknown> = {};
    endless['self'] = endless;
    const failure = fly(client, [asService], [insert(1), { text: 'SELECT $1::json', values: [endless] }]);
    await expect(failure).rejects.toThrow(/circular/i);
    expect(await rowsOf([insert(2)])).toEqual([[{ n: 2 }]]);
    expect(await stored()).toEqual([2]);
  });

  it('begin a transaction that stays open', async () => {
    const begin: QueryConfig = { name: 'begin', text: 'BEGIN' };
    expect(await rowsOf([insert(1)], [begin, asService])).toEqual([[{ n: 1 }]]);
    expect((await client.query<{ role: string }>(role)).rows).toEqual([{ role: 'sb_credits' }]);
    expect(await stored()).toEqual([]);
    await client.query('COMMIT');
    expect(await stored()).toEqual([1]);
  });

  it('tell a lost connection from a failure: nobody knows what was written', async () => {
    const [{ pid } = { pid: 0 }] = (await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid'))
      .rows;
    const flying = fly(client, [asService], [{ text: 'SELECT pg_sleep(60)' }]).catch(
      (thrown: unknown) => thrown,
    );
    await clone.query('SELECT pg_terminate_backend($1)', [pid]);
    expect(isRolledBack(await flying)).toBe(false);
  });
});
