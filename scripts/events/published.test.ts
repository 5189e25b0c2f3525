import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { publishedIn, publishedOnMain } from './published.ts';

let root = '';
const git = (...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=test', '-c', 'user.email=test@example.org', ...args], { cwd: root });

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'swissbrain-published-'));
  git('init', '--quiet', '--initial-branch=main');
  await mkdir(join(root, 'schemas'));
  await writeFile(join(root, 'schemas/run.tested.v1.json'), '{"title":"as published"}');
  git('add', 'schemas');
  git('commit', '--quiet', '-m', 'Publish');
  git('switch', '--quiet', '-c', 'work');
});
afterAll(() => rm(root, { recursive: true }));

test('what was published on main counts, also when a branch has changed its file', async () => {
  await writeFile(join(root, 'schemas/run.tested.v1.json'), '{"title":"as changed"}');
  git('commit', '--quiet', '--all', '-m', 'Change');
  const before = await publishedOnMain(root, 'schemas');
  expect([...before]).toEqual([['run.tested.v1', { title: 'as published' }]]);
  expect([...(await publishedIn(join(root, 'schemas')))]).toEqual([
    ['run.tested.v1', { title: 'as changed' }],
  ]);
});

test('nothing is published where there is no folder, no such commit, no repository', async () => {
  expect([...(await publishedOnMain(root, 'elsewhere'))]).toEqual([]);
  expect([...(await publishedIn(join(root, 'elsewhere')))]).toEqual([]);
  const bare = await mkdtemp(join(tmpdir(), 'swissbrain-published-'));
  expect([...(await publishedOnMain(bare, 'schemas'))]).toEqual([]);
  await rm(bare, { recursive: true });
});
