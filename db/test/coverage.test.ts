import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createTestDatabase } from '@swissbrain/testkit/database';
import { expect, it } from 'vitest';
import { readCatalog } from '../catalog.ts';
import { withClient } from '../migrate.ts';
import { readCoverage } from './coverage.ts';

const root = join(import.meta.dirname, '../..');

it('README.md names the tests of every function of schema public and of every trigger', async () => {
  const database = await createTestDatabase();
  const catalog = await withClient(database.adminUrl, readCatalog);
  await database.drop();
  const known = [...catalog.functions, ...catalog.triggers].map(({ name }) =>
    name.replace(/^public\.|\(.*$/g, ''),
  );
  // Of the building blocks in sb those whose defects are tried are named, too.
  const isInner = (name: string) => name.startsWith('sb.');
  const named = [...readCoverage().keys()];
  expect(named.filter((name) => !isInner(name)).toSorted()).toEqual(
    known.filter((name) => !isInner(name)).toSorted(),
  );
  expect(known).toEqual(expect.arrayContaining(named));
});

it('README.md names tests that are there', () => {
  const files = [...readCoverage().values()].flat();
  expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
});
