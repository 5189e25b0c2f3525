import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { migrationsDirectory } from './migrate.ts';

/**
 * Writes the up part of each migration under its own name into a folder, as `supabase db push` reads them. The
 * folder is ours: what is no migration of the repository any more disappears from it.
 * @returns the names of the files
 */
export async function writeSupabaseMigrations(
  directory: string,
  migrationsDir = migrationsDirectory,
): Promise<string[]> {
  const names = (await readdir(migrationsDir)).filter((name) => name.endsWith('.sql')).toSorted();
  await mkdir(directory, { recursive: true });
  for (const name of await readdir(directory)) {
    if (name.endsWith('.sql') && !names.includes(name)) await rm(join(directory, name));
  }
  for (const name of names) {
    await writeFile(join(directory, name), upPart(await readFile(join(migrationsDir, name), 'utf8'), name));
  }
  return names;
}

/** How the file of a migration begins that runs outside a transaction. */
export const outsideTransaction =
  '-- Outside a transaction: needs supabase 2.109 or later, which knows such statements.';

/**
 * What dbmate would run on the way up. `transaction:false` behind `migrate:up` means nothing to Supabase, whose own
 * eye for CREATE INDEX CONCURRENTLY and its like does the same: the file says so in its first line.
 * @throws Error when the file has not exactly one up and one down part, or an option that dbmate does not know
 */
export function upPart(migration: string, name: string): string {
  const match = /^-- migrate:up(.*)\n([\s\S]*)^-- migrate:down.*\n/m.exec(migration);
  if (match?.[1] === undefined || match[2] === undefined)
    throw new Error(`${name} has no "-- migrate:up" followed by "-- migrate:down"`);
  const options = match[1].split(' ').filter((option) => option !== '');
  const unknown = options.find((option) => option !== 'transaction:true' && option !== 'transaction:false');
  if (unknown !== undefined) throw new Error(`${name} has "${unknown}" behind "-- migrate:up"`);
  const first = options.includes('transaction:false') ? `${outsideTransaction}\n` : '';
  return `${first}${match[2].trim()}\n`;
}

if (import.meta.main) {
  const directory =
    process.argv.slice(2).find((argument) => argument !== '--') ??
    join(import.meta.dirname, '../.swissbrain/supabase/migrations');
  const names = await writeSupabaseMigrations(directory);
  console.log(
    `${names.length} migrations in ${directory}; then supabase link and supabase db push, with --workdir on the folder above supabase/`,
  );
}
