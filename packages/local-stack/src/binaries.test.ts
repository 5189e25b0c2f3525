import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { atLeast, findProgram, searchPath } from './binaries.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'swissbrain-binaries-'));
});

afterEach(() => rm(directory, { recursive: true, force: true }));

/** An executable in a folder of its own, that prints a text or fails. */
async function program(folder: string, name: string, body: string): Promise<string> {
  const path = join(directory, folder);
  await mkdir(path, { recursive: true });
  await writeFile(join(path, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  return path;
}

describe('the way a server is run', () => {
  test('the first binary in the order of the path', async () => {
    const first = await program('first', 'nats-server', 'echo "nats-server: v2.9.10"');
    const second = await program('second', 'nats-server', 'echo "nats-server: v2.11.0"');
    expect(await findProgram('nats', [first, second])).toEqual({
      kind: 'binary',
      path: join(first, 'nats-server'),
    });
  });

  test('a binary wins over a running Docker engine', async () => {
    const docker = await program('docker', 'docker', 'echo 28.0.0');
    const redis = await program('redis', 'redis-server', 'echo "Redis server v=7.0.15 sha=0"');
    expect(await findProgram('redis', [docker, redis])).toMatchObject({ kind: 'binary' });
  });

  test('a binary that is too old is passed over for a later one', async () => {
    const old = await program('old', 'redis-server', 'echo "Redis server v=5.0.3 sha=0"');
    const valkey = await program('valkey', 'valkey-server', 'echo "Valkey server v=8.0.1 sha=0"');
    expect(await findProgram('redis', [old, valkey])).toEqual({
      kind: 'binary',
      path: join(valkey, 'valkey-server'),
    });
  });

  test('Docker, when there is no binary and an engine runs', async () => {
    const docker = await program('docker', 'docker', 'echo 28.0.0');
    expect(await findProgram('nats', [docker])).toMatchObject({
      kind: 'docker',
      docker: join(docker, 'docker'),
    });
  });

  test('none, when Docker is installed and its engine does not run', async () => {
    const docker = await program('docker', 'docker', 'echo "cannot connect" >&2; exit 1');
    expect(await findProgram('nats', [docker])).toBeUndefined();
  });

  test('a file that is not executable is not taken for a program', async () => {
    const folder = join(directory, 'plain');
    await mkdir(folder);
    await writeFile(join(folder, 'nats-server'), 'text', { mode: 0o644 });
    expect(await findProgram('nats', [folder])).toBeUndefined();
  });
});

test('the folders of servers are searched even when PATH leaves them out', () => {
  const folders = searchPath('/home/someone/bin:/usr/bin');
  expect(folders[0]).toBe('/home/someone/bin');
  expect(folders).toContain('/usr/sbin');
  expect(folders.filter((folder) => folder === '/usr/bin')).toHaveLength(1);
});

test.each([
  ['nats-server: v2.9.10', [2, 9], true],
  ['nats-server: v2.8.4', [2, 9], false],
  ['Redis server v=7.0.15 sha=00000000:0', [6, 2], true],
  ['Redis server v=6.0.16', [6, 2], false],
  ['no version at all', [1, 0], false],
] as const)('%s is at least %j: %s', (text, minimum, expected) => {
  expect(atLeast(text, minimum)).toBe(expected);
});
