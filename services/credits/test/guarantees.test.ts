import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../../..');

test('README.md names tests that are there', async () => {
  const text = await readFile(join(import.meta.dirname, 'README.md'), 'utf8');
  const named = [...text.matchAll(/`([\w./-]+\.ts)` “([^”]+)”/g)].map(([, file = '', name = '']) => ({
    path: file.includes('/') ? join(root, file) : join(import.meta.dirname, file),
    name,
  }));
  expect(named.length).toBeGreaterThan(90);
  const missing: string[] = [];
  for (const { path, name } of named) {
    const source = await readFile(path, 'utf8').catch(() => '');
    if (!source.includes(name)) missing.push(`${path}: ${name}`);
  }
  expect(missing).toEqual([]);
});
