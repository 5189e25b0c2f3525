import { newestMigration } from '@swissbrain/shared-schema/db/newest-migration';
import { sql } from 'kysely';
import type { Database } from './database.ts';

/**
 * Whether the database has every migration that this version of the code was built with. A database that is ahead
 * is fine: a migration only adds to what the release before uses.
 * @throws what the driver throws, also where the very first migration is missing
 */
export async function isSchemaCurrent(database: Database): Promise<boolean> {
  const [row] = await database.serviceStatement<{ current: boolean }>(
    sql`SELECT sb.is_migrated(${newestMigration}) AS current`,
  );
  return row?.current === true;
}

/** For readiness. @throws Error naming the migration that is missing */
export async function requireCurrentSchema(database: Database): Promise<void> {
  if (await isSchemaCurrent(database)) return;
  throw new Error(`the database lacks migration ${newestMigration}: run the migrations`);
}
