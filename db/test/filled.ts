import { createHash } from 'node:crypto';
import { createTestDatabase, databaseUrl, type TestDatabase } from '@swissbrain/testkit/database';
import { fill } from '../fill.ts';
import { withClient } from '../migrate.ts';

/** Enough for Postgres to prefer an index wherever one helps; the full sweep takes as many as `db:fill` does. */
const rowsPerTable = process.env['SWISSBRAIN_FULL'] === '1' ? 100_000 : 10_000;

/** For the hook that asks first, or waits for the one that did. */
export const fillTimeoutMs = 600_000;

/** A clone of a database that `db:fill` has filled; the first one to ask fills it, the others wait. */
export async function createFilledDatabase(): Promise<TestDatabase> {
  const serverUrl = process.env['SWISSBRAIN_TEST_DATABASE_URL'] ?? '';
  const template = process.env['SWISSBRAIN_TEST_DATABASE_TEMPLATE'] ?? '';
  const filled = `${template}_filled`;
  return withClient(serverUrl, async (server) => {
    // Also while cloning: Postgres refuses to clone a database that another clone is being made of.
    await server.query('SELECT pg_advisory_lock(hashtext($1))', [filled]);
    const { rowCount } = await server.query('SELECT FROM pg_database WHERE datname = $1', [filled]);
    if (rowCount === 0) {
      const draft = `${filled.slice(0, 55)}_draft`;
      await server.query(`DROP DATABASE IF EXISTS "${draft}" WITH (FORCE)`);
      await server.query(`CREATE DATABASE "${draft}" TEMPLATE "${template}"`);
      await fill({ url: databaseUrl(serverUrl, draft), rows: rowsPerTable });
      await server.query(`ALTER DATABASE "${draft}" RENAME TO "${filled}"`);
    }
    return createTestDatabase(filled);
  });
}

/** The id that `db:fill` gives to the n-th thing of a kind. */
export function filledId(kind: string, n: number): string {
  return createHash('md5')
    .update(`${kind}${n}`)
    .digest('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
