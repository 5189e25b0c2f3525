import { startPostgres } from '@swissbrain/local-stack/postgres';
import { migrate } from '../../../db/migrate.ts';
import { openTestDatabase, type TestDatabase } from './database.ts';
import { startTestServer, type TestServer } from './server.ts';

/**
 * A Postgres of a test's own, migrated, that the test may kill: what it has committed is on disk then, as in production.
 * `drop` of the database stops the server.
 */
export async function startTestPostgres(): Promise<{ server: TestServer; database: TestDatabase }> {
  const server = await startTestServer('postgres', startPostgres);
  try {
    await migrate({ url: server.url });
  } catch (thrown) {
    await server.stop();
    throw thrown;
  }
  return { server, database: openTestDatabase(server.url, 'postgres', () => server.stop()) };
}
