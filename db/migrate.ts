import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs, promisify } from 'node:util';
import { resolveBinary } from 'dbmate';
import pg from 'pg';
import { setLoginPasswords } from './login-passwords.ts';

const run = promisify(execFile);

/** Any constant serves, as long as nothing else in the database takes the same advisory lock. */
const lockKey = 20_260_113n;

export interface MigrateOptions {
  /** A role that may create tables and roles; not through a pooler that shares sessions (the lock is one's own). */
  readonly url: string;
  readonly migrationsDir?: string;
  /** Receives what dbmate prints, line by line. */
  readonly log?: (line: string) => void;
}

/** Where the migrations of this repository are. */
export const migrationsDirectory = join(import.meta.dirname, 'migrations');

/**
 * Applies all pending migrations. Processes that migrate the same database at once wait for one another.
 * @throws Error with what dbmate printed when a migration fails; that migration is rolled back, those before stay
 */
export async function migrate(options: MigrateOptions): Promise<void> {
  await holdingLock(options.url, () => dbmate(options, 'migrate'));
}

/**
 * Takes the latest migrations back, newest first.
 * @throws Error with what dbmate printed when a step fails or there are fewer migrations than steps
 */
export async function rollback(options: MigrateOptions & { readonly steps: number }): Promise<void> {
  await holdingLock(options.url, async () => {
    for (let step = 0; step < options.steps; step += 1) await dbmate(options, 'rollback');
  });
}

/** How many migrations the database has applied. */
export async function appliedCount(url: string): Promise<number> {
  return withClient(url, async (client) => {
    const { rows } = await client.query<{ count: string }>('SELECT count(*) FROM public.schema_migrations');
    return Number(rows[0]?.count);
  });
}

async function holdingLock(url: string, work: () => Promise<void>): Promise<void> {
  await withClient(url, async (client) => {
    await client.query('SELECT pg_advisory_lock($1)', [lockKey]);
    await work(); // the lock ends with the connection
  });
}

/** A connection for the time of `work`. */
export async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, application_name: 'swissbrain-migrate' });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function dbmate(options: MigrateOptions, command: 'migrate' | 'rollback'): Promise<void> {
  const directory = options.migrationsDir ?? migrationsDirectory;
  // The URL goes by environment: arguments of a process are readable by everyone on the machine.
  const { PATH, PGPASSWORD } = process.env;
  const environment = { SWISSBRAIN_MIGRATE_URL: dbmateUrl(options.url), PATH, PGPASSWORD };
  const args = [
    '--env',
    'SWISSBRAIN_MIGRATE_URL',
    '--no-dump-schema',
    '--migrations-dir',
    directory,
    command,
  ];
  try {
    const { stdout } = await run(resolveBinary(), args, { env: environment, cwd: dirname(directory) });
    for (const line of stdout.split('\n')) if (line !== '') options.log?.(line);
  } catch (error) {
    throw new Error(`${command} failed: ${printed(error)}`, { cause: error });
  }
}

function printed(error: unknown): string {
  const { stdout, stderr } = error as { stdout?: string; stderr?: string };
  const text = `${stdout ?? ''}${stderr ?? ''}`.trim();
  return text === '' ? String(error) : text;
}

/**
 * The same connection in dbmate's dialect. Without sslmode, node-postgres and with it all services connect in the
 * clear where dbmate's driver demands TLS; `no-verify` and `prefer` exist only there, `require` asks for TLS here.
 */
export function dbmateUrl(url: string): string {
  const parsed = new URL(url);
  const mode = parsed.searchParams.get('sslmode') ?? 'disable';
  parsed.searchParams.set('sslmode', mode === 'no-verify' || mode === 'prefer' ? 'require' : mode);
  parsed.searchParams.delete('uselibpqcompat');
  return parsed.href;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { down: { type: 'string' }, wait: { type: 'string' } },
    allowPositionals: true,
  });
  const url = process.env['DATABASE_URL'];
  if (url === undefined || url === '') throw new Error('DATABASE_URL is not set');
  const options = { url, log: console.log };
  if (values.wait !== undefined) await untilAnswering(url, countOf('wait', values.wait), console.log);
  if (values.down === undefined) {
    await migrate(options);
    const services = await withClient(url, (client) => setLoginPasswords(client, process.env));
    if (services.length > 0) console.log(`passwords set: ${services.join(', ')}`);
    return;
  }
  return rollback({ ...options, steps: countOf('down', values.down) });
}

function countOf(option: string, given: string): number {
  const count = Number(given);
  if (!Number.isInteger(count) || count < 1) throw new Error(`--${option} takes a whole number above zero`);
  return count;
}

/** Not there yet, or there and still starting. */
const notYet: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  '57P03',
]);

/**
 * Ends when the server takes connections.
 * @throws the last error after `seconds`, any other than that it is not up at once
 */
async function untilAnswering(url: string, seconds: number, log: (line: string) => void): Promise<void> {
  for (let left = seconds; ; left -= 1) {
    try {
      return await withClient(url, async (client) => void (await client.query('SELECT 1')));
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (left <= 0 || !notYet.has(code)) throw error;
      if (left === seconds) log(`waiting for the database: ${String(code)}`);
    }
    await delay(1_000);
  }
}

if (import.meta.main) {
  await main().catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  });
}
