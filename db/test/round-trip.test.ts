import { readdir } from 'node:fs/promises';
import { createTestDatabase } from '@swissbrain/testkit/database';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readCatalog } from '../catalog.ts';
import { generateFiles, outdated } from '../generate.ts';
import { appliedCount, migrate, migrationsDirectory, rollback, withClient } from '../migrate.ts';
import { printCatalog } from '../print-catalog.ts';
import { openSession } from './acting.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let migrations: number;

beforeAll(async () => {
  database = await createTestDatabase();
  migrations = (await readdir(migrationsDirectory)).filter((name) => name.endsWith('.sql')).length;
});
afterAll(() => database.drop());

const print = async () => printCatalog(await withClient(database.adminUrl, readCatalog));

it('goes all the way down and up again to the same schema', async () => {
  const before = await print();
  await rollback({ url: database.adminUrl, steps: migrations });
  expect(await appliedCount(database.adminUrl)).toBe(0);
  const left = await withClient(database.adminUrl, readCatalog);
  expect(left).toEqual({ schemas: [], enums: [], tables: [], functions: [], triggers: [], grants: [] });

  await migrate({ url: database.adminUrl });
  expect(await print()).toBe(before);
});

it('goes down and up step by step to the same schema', async () => {
  const before = await print();
  for (let steps = 1; steps < migrations; steps += 1) {
    await rollback({ url: database.adminUrl, steps });
    await migrate({ url: database.adminUrl });
  }
  expect(await print()).toBe(before);
});

it('is migrated by several processes at once as by one', async () => {
  await rollback({ url: database.adminUrl, steps: migrations });
  await Promise.all(Array.from({ length: 4 }, () => migrate({ url: database.adminUrl })));
  expect(await appliedCount(database.adminUrl)).toBe(migrations);
});

it('reports what is wrong with a migration and keeps the ones before', async () => {
  const session = await openSession(database.adminUrl);
  await rollback({ url: database.adminUrl, steps: 1 });
  await session.query('CREATE TABLE collaboration_sessions ()');
  await expect(migrate({ url: database.adminUrl })).rejects.toThrow(
    /"collaboration_sessions" already exists/,
  );
  expect(await appliedCount(database.adminUrl)).toBe(migrations - 1);
  await session.query('DROP TABLE collaboration_sessions');
  await session.end();
  await migrate({ url: database.adminUrl });
  expect(await appliedCount(database.adminUrl)).toBe(migrations);
});

it('is what db/schema.sql and the row types say', async () => {
  expect(await outdated(await generateFiles(database.adminUrl))).toEqual([]);
});
