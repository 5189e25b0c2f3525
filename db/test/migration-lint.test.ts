import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const run = promisify(execFile);
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'swissbrain-lint-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** The rules of squawk that a migration breaks. */
async function brokenBy(sql: string): Promise<string[]> {
  const file = join(directory, 'migration.sql');
  await writeFile(file, `-- migrate:up\n${sql}\n-- migrate:down\n`);
  const program = join(root, 'node_modules/.bin/squawk');
  const { stdout } = await run(program, [
    '--config',
    join(root, '.squawk.toml'),
    '--reporter',
    'json',
    file,
  ]).catch((error: { stdout: string }) => error);
  return (JSON.parse(stdout) as { rule_name: string }[]).map(({ rule_name }) => rule_name).toSorted();
}

it('a migration of a table in use says how long it waits for locks', async () => {
  const alter = 'ALTER TABLE public.agent_runs ADD COLUMN note text;';
  expect(await brokenBy(alter)).toContain('require-lock-timeout');
  expect(await brokenBy(`SET LOCAL lock_timeout = '1s';\n${alter}`)).not.toContain('require-lock-timeout');
});

it.each([
  [
    'rewrites a table',
    'ALTER TABLE public.agent_runs ALTER COLUMN step_count TYPE bigint;',
    'changing-column-type',
  ],
  [
    'builds an index under a lock',
    'CREATE INDEX runs_idx ON public.agent_runs (title);',
    'require-concurrent-index-creation',
  ],
  [
    'reads a table under a lock',
    'ALTER TABLE public.agent_runs ALTER COLUMN tenant_id SET NOT NULL;',
    'adding-not-nullable-field',
  ],
  [
    'checks all rows under a lock',
    "ALTER TABLE public.agent_runs ADD CONSTRAINT titled CHECK (title <> '');",
    'constraint-missing-not-valid',
  ],
])('a migration that %s is refused', async (_, sql, rule) => {
  expect(await brokenBy(`SET LOCAL lock_timeout = '1s';\n${sql}`)).toContain(rule);
});
