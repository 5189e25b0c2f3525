import { randomBytes } from 'node:crypto';
import pg from 'pg';

/** A database of its own for one test file: a clone of the migrated template. */
export interface TestDatabase {
  /** Its URL as the superuser. */
  readonly adminUrl: string;
  readonly name: string;
  /** One statement as the superuser, past every policy; int8 is a bigint. */
  query<R extends object>(sql: string, params?: readonly unknown[]): Promise<R[]>;
  /** Closes every connection to it, whoever holds it, and removes it. */
  drop(): Promise<void>;
}

const int8 = 20;
const types: pg.CustomTypesConfig = {
  getTypeParser(oid: number, format?: 'text' | 'binary') {
    return oid === int8 ? BigInt : pg.types.getTypeParser(oid, format as 'text');
  },
};

/**
 * Clones the template that the global setup has migrated, or another database of the same server that nobody is
 * connected to.
 * @throws Error outside a run with that setup
 */
export async function createTestDatabase(
  template = variable('SWISSBRAIN_TEST_DATABASE_TEMPLATE'),
): Promise<TestDatabase> {
  const serverUrl = variable('SWISSBRAIN_TEST_DATABASE_URL');
  const name = `sbtest_${randomBytes(8).toString('hex')}`;
  await administer(serverUrl, `CREATE DATABASE "${name}" TEMPLATE "${template}" STRATEGY FILE_COPY`);
  return openTestDatabase(databaseUrl(serverUrl, name), name, () =>
    administer(serverUrl, `DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`),
  );
}

/** A database that is there; `remove` is called by `drop` when nobody here is connected to it any more. */
export function openTestDatabase(adminUrl: string, name: string, remove: () => Promise<void>): TestDatabase {
  const pool = new pg.Pool({ connectionString: adminUrl, max: 4, types });
  // A test may stop the server under it; the statement that meets it rejects.
  pool.on('error', () => {});
  return {
    adminUrl,
    name,
    async query<R extends object>(sql: string, params: readonly unknown[] = []) {
      return (await pool.query<R>(sql, [...params])).rows;
    },
    async drop() {
      await pool.end();
      await remove();
    },
  };
}

/** The same server, another database. */
export function databaseUrl(serverUrl: string, name: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

/** One statement outside any transaction, on a connection of its own. */
export async function administer(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

function variable(name: string): string {
  const value = process.env[name];
  if (!value)
    throw new Error(`${name} is not set: the vitest project needs @swissbrain/testkit/global-setup`);
  return value;
}
