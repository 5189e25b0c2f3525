import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { startPostgres } from '@swissbrain/local-stack/postgres';
import { type Catalog, readCatalog } from './catalog.ts';
import { migrate, withClient } from './migrate.ts';
import { printCatalog } from './print-catalog.ts';
import { printDocs } from './print-docs.ts';
import { rowTypes } from './row-types.ts';

const root = join(import.meta.dirname, '..');
const typesDirectory = join(root, 'packages/shared-schema/src/db');

/**
 * Everything that is derived from the migrations, by path: db/schema.sql, docs/schema.md and the row types of
 * shared-schema.
 * @param adminUrl a server on which a database for the moment may be created, and its roles
 */
export async function generateFiles(adminUrl: string): Promise<Map<string, string>> {
  const catalog = await migratedCatalog(adminUrl);
  const types = [...rowTypes(catalog)].map(([name, text]) => [join(typesDirectory, name), text] as const);
  return new Map([
    [join(root, 'db/schema.sql'), printCatalog(catalog)],
    [join(root, 'docs/schema.md'), printDocs(catalog)],
    ...types,
  ]);
}

async function migratedCatalog(adminUrl: string): Promise<Catalog> {
  const name = `swissbrain_generate_${randomBytes(6).toString('hex')}`;
  await withClient(adminUrl, (client) => client.query(`CREATE DATABASE ${name}`));
  try {
    const url = new URL(adminUrl);
    url.pathname = `/${name}`;
    await migrate({ url: url.href });
    return await withClient(url.href, readCatalog);
  } finally {
    await withClient(adminUrl, (client) => client.query(`DROP DATABASE ${name} WITH (FORCE)`));
  }
}

/** The paths of generated files that differ from what the migrations give, or should not be there. */
export async function outdated(files: ReadonlyMap<string, string>): Promise<string[]> {
  const differing: string[] = [];
  for (const [path, text] of files) if ((await contents(path)) !== text) differing.push(path);
  return [...differing, ...(await leftOver(files))].map((path) => relative(root, path));
}

async function leftOver(files: ReadonlyMap<string, string>): Promise<string[]> {
  const present = (await readdir(typesDirectory)).map((name) => join(typesDirectory, name));
  return present.filter((path) => !files.has(path));
}

async function contents(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** DATABASE_URL when it is set, else a Postgres for the moment. */
async function withServer<T>(work: (adminUrl: string) => Promise<T>): Promise<T> {
  const given = process.env['DATABASE_URL'];
  if (given !== undefined && given !== '') return work(given);
  const directory = await mkdtemp(join(tmpdir(), 'swissbrain-generate-'));
  try {
    const server = await startPostgres({ dataDir: join(directory, 'data'), durable: false });
    try {
      return await work(server.url);
    } finally {
      await server.stop();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function main(): Promise<void> {
  const files = await withServer(generateFiles);
  if (!process.argv.includes('--check')) {
    for (const path of await leftOver(files)) await rm(path);
    for (const [path, text] of files) await writeFile(path, text);
    console.log(`${files.size} files written`);
    return;
  }
  const differing = await outdated(files);
  if (differing.length === 0) return console.log(`${files.size} generated files are up to date`);
  console.error(
    `Not what the migrations give; run pnpm db:generate:\n${differing.map((path) => `  ${path}`).join('\n')}`,
  );
  process.exitCode = 1;
}

if (import.meta.main) await main();
