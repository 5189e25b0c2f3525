import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { withClient } from './migrate.ts';

const directory = join(import.meta.dirname, 'fill');

interface FillOptions {
  /** A superuser: triggers and foreign keys are passed over, since the rows agree by construction. */
  readonly url: string;
  /** Rows per table. */
  readonly rows: number;
  readonly log?: (line: string) => void;
}

/**
 * Fills every table of a freshly migrated database with as many rows, skewed as in life: few users with much and many
 * with little, nearly everything finished, most of it recent. The same rows each time but for the moment they hang
 * on. Ends with ANALYZE.
 * @throws Error of Postgres when the database has been filled before
 */
export async function fill({ url, rows, log }: FillOptions): Promise<void> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.sql')).toSorted();
  await withClient(url, async (client) => {
    await client.query('BEGIN');
    await client.query(`SET LOCAL session_replication_role = replica`);
    await client.query(`SET LOCAL work_mem = '128MB'`);
    await client.query(`SELECT set_config('fill.rows', $1, true)`, [String(rows)]);
    for (const name of names) {
      const start = performance.now();
      await client.query(await readFile(join(directory, name), 'utf8'));
      log?.(`${name} in ${((performance.now() - start) / 1000).toFixed(1)} s`);
    }
    await client.query('COMMIT');
    await client.query('ANALYZE');
  });
}

if (import.meta.main) {
  const url = process.env['DATABASE_URL'];
  const rows = Number(process.argv.slice(2).find((argument) => argument !== '--') ?? '100000');
  if (url === undefined || url === '' || !Number.isInteger(rows) || rows < 1000) {
    console.error('usage: DATABASE_URL=… pnpm db:fill [ROWS], at least 1000 (100000) in each table');
    process.exitCode = 2;
  } else {
    await fill({ url, rows, log: console.log });
  }
}
