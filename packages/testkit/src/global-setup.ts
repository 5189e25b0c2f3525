import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres } from '@swissbrain/local-stack/postgres';
import { migrate } from '../../../db/migrate.ts';
import { administer, databaseUrl } from './database.ts';

/**
 * Vitest's global setup: a Postgres (`TEST_DATABASE_URL` with a superuser, else a throw-away one) and in it a
 * template with the real migrations, which every test file clones. `SWISSBRAIN_TEST_SUBJECT` names a database of that
 * server to be the template as it is: a schema with a defect, which the tests should notice.
 */
export default async function setup(): Promise<() => Promise<void>> {
  const undo: (() => Promise<unknown>)[] = [];
  const unwind = async () => {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step();
  };
  try {
    const serverUrl = process.env.TEST_DATABASE_URL ?? (await startThrowAway(undo));
    const subject = process.env.SWISSBRAIN_TEST_SUBJECT;
    if (subject !== undefined) return useTemplate(serverUrl, subject, unwind);
    const template = `sbtest_template_${randomBytes(6).toString('hex')}`;
    await administer(serverUrl, `CREATE DATABASE "${template}"`);
    // A test may have made a filled one of it, for all to clone.
    for (const name of [template, `${template}_filled`])
      undo.push(() => administer(serverUrl, `DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`));
    await migrate({ url: databaseUrl(serverUrl, template) });
    return useTemplate(serverUrl, template, unwind);
  } catch (thrown) {
    await unwind();
    throw thrown;
  }
}

function useTemplate(serverUrl: string, template: string, unwind: () => Promise<void>): () => Promise<void> {
  process.env.SWISSBRAIN_TEST_DATABASE_URL = serverUrl;
  process.env.SWISSBRAIN_TEST_DATABASE_TEMPLATE = template;
  return unwind;
}

async function startThrowAway(undo: (() => Promise<unknown>)[]): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'swissbrain-test-postgres-'));
  undo.push(() => rm(directory, { recursive: true, force: true }));
  const server = await startPostgres({ dataDir: join(directory, 'data'), durable: false });
  undo.push(() => server.stop());
  return server.url;
}
