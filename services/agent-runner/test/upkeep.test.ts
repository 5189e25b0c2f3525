import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemClock } from '@swissbrain/service-kit/clock';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createLocalStore } from '../src/storage/local-store.ts';
import { type Runner, startRunner } from './support/runner.ts';

const program = join(import.meta.dirname, '..', 'src', 'upkeep.ts');
const run = promisify(execFile);

let runner: Runner;
let partition: string;
beforeAll(async () => {
  runner = await startRunner({ service: false });
});
afterAll(() => runner?.stop());

const upkeep = (overrides: Record<string, string> = {}) =>
  run(process.execPath, [program], {
    env: { ...runner.environment, LOG_LEVEL: 'info', ...overrides },
    timeout: 60_000,
  });

const oldRun = randomUUID();
beforeEach(async () => {
  await runner.database.query(
    `INSERT INTO agent_runs (id, user_id, root_run_id, kind, title, goal, status, finished_at)
     VALUES ($1, $2, $1, 'goal', 't', 'g', 'failed', now() - interval '31 days')`,
    [oldRun, randomUUID()],
  );
  // Nobody was there when it was time to make the newest one.
  const [newest] = await runner.database.query<{ name: string }>(
    `SELECT relid::regclass::text AS name FROM pg_partition_tree('event_outbox')
     WHERE isleaf AND pg_get_expr((SELECT relpartbound FROM pg_class WHERE oid = relid), relid) <> 'DEFAULT'
     ORDER BY relid::regclass::text DESC LIMIT 1`,
  );
  partition = newest?.name ?? '';
  await runner.database.query(`DROP TABLE ${partition}`);
});

const isThere = async (name: string) => {
  const [found] = await runner.database.query<{ there: boolean }>(
    'SELECT to_regclass($1) IS NOT NULL AS there',
    [name],
  );
  return found?.there;
};
const runIsThere = async () =>
  (await runner.database.query('SELECT 1 FROM agent_runs WHERE id = $1', [oldRun])).length === 1;

it('makes the partitions that are missing and deletes runs past their time and what nothing refers to', async () => {
  const directory = join(runner.directory, 'artifacts');
  const longAgo = new Date(systemClock.now().getTime() - 10 * 86_400_000);
  const objects = createLocalStore(directory, systemClock);
  const before = createLocalStore(directory, { ...systemClock, now: () => longAgo });
  const orphan = await before.put(randomUUID(), Buffer.from('nobody wants this'));
  const fresh = await objects.put(randomUUID(), Buffer.from('somebody may'));

  const { stdout } = await upkeep();
  expect(await isThere(partition)).toBe(true);
  expect(await runIsThere()).toBe(false);
  expect(await objects.head(orphan.key)).toBeNull();
  expect(await objects.head(fresh.key)).not.toBeNull();
  expect(stdout).toMatch(/"runs":1,"uploads":0,"objects":1/);
});

it('ends with status 1 when a part fails, says which, and does the rest', async () => {
  const unreachable = {
    STORAGE_S3_BUCKET: 'artifacts',
    STORAGE_S3_ENDPOINT: 'http://127.0.0.1:1',
    STORAGE_S3_ACCESS_KEY_ID: 'a',
    STORAGE_S3_SECRET_ACCESS_KEY: 'b',
  };
  const failed = await upkeep(unreachable).then(
    () => undefined,
    (error: { code: unknown; stdout: string }) => error,
  );
  expect(failed?.code).toBe(1);
  expect(failed?.stdout).toMatch(/"part":"retention"/);
  expect(await isThere(partition)).toBe(true);
  expect(await runIsThere()).toBe(false);
});

it('names a database that does not answer', async () => {
  const failed = await upkeep({ DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' }).then(
    () => undefined,
    (error: { code: unknown; stdout: string }) => error,
  );
  expect(failed?.code).toBe(1);
  expect(failed?.stdout).toMatch(/"part":"partitions"/);
  expect(await runIsThere()).toBe(true);
});
