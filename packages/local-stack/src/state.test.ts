import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadSecrets } from './secrets.ts';
import { readStackState, removeStackState, type StackState, writeStackState } from './state.ts';

let dataDir: string;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'swissbrain-state-'));
});

afterEach(() => rm(dataDir, { recursive: true, force: true }));

function someState(): StackState {
  const service = (port: number) => ({ url: `http://127.0.0.1:${port}`, pid: port });
  return {
    supervisor: { pid: 1, started: 'boot:1' },
    data_dir: dataDir,
    postgres_url: 'postgres://postgres:x@127.0.0.1:20001/swissbrain',
    nats_url: 'nats://127.0.0.1:20002',
    redis_url: 'redis://127.0.0.1:20003',
    jwt_secret: 'x'.repeat(64),
    servers: { postgres: { pid: 2 } },
    services: {
      'agent-runner': service(20004),
      credits: service(20005),
      connectors: service(20006),
      'wide-research': service(20007),
      scheduler: service(20008),
      collab: service(20009),
    },
  };
}

test('the state is read as it was written, and is readable by its owner alone', async () => {
  await writeStackState(someState());
  expect(await readStackState('/nowhere', dataDir)).toEqual(someState());
  expect((await stat(join(dataDir, 'stack.json'))).mode & 0o777).toBe(0o600);
});

test('no stack, no state', async () => {
  expect(await readStackState('/nowhere', dataDir)).toBeUndefined();
  await writeStackState(someState());
  await removeStackState(dataDir);
  await removeStackState(dataDir);
  expect(await readStackState('/nowhere', dataDir)).toBeUndefined();
});

test.each(['', '{', '{"services":{}}'])(
  'a state that is not one is an error that names the file: %j',
  async (text) => {
    await writeFile(join(dataDir, 'stack.json'), text);
    await expect(readStackState('/nowhere', dataDir)).rejects.toThrow(join(dataDir, 'stack.json'));
  },
);

test('secrets are made once, for their owner alone', async () => {
  const first = await loadSecrets(dataDir);
  expect(await loadSecrets(dataDir)).toEqual(first);
  expect((await stat(join(dataDir, 'secrets.json'))).mode & 0o777).toBe(0o600);
  const values = [
    first.jwt,
    first.sandbox,
    first.storage,
    first.connectors,
    ...Object.values(first.database),
  ];
  expect(new Set(values).size).toBe(10);
});

test('damaged secrets are not replaced: that would lock the data away', async () => {
  await writeFile(join(dataDir, 'secrets.json'), '{"jwt":"short"}');
  await expect(loadSecrets(dataDir)).rejects.toThrow('damaged');
});
