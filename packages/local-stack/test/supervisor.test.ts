import { spawn } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { startPostgres } from '../src/postgres.ts';
import { identify } from '../src/process-group.ts';
import { recordedProcesses } from '../src/process-records.ts';
import { clearData } from '../src/reset.ts';
import type { Server } from '../src/server.ts';
import { readStackState, type StackState } from '../src/state.ts';
import { type Stack, type StackOptions, StackRunningError, startStack } from '../src/supervisor.ts';

// A checkout with six services that only connect to their database, so that the supervisor is tested by itself.
const root = join(import.meta.dirname, 'checkout');

let dataDir: string;
const running: Stack[] = [];

async function newDataDir(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'swissbrain-supervisor-'));
  await chmod(path, 0o711);
  return path;
}

beforeEach(async () => {
  dataDir = await newDataDir();
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((stack) => stack.stop()));
  await rm(dataDir, { recursive: true, force: true });
});

async function start(options: Partial<StackOptions> = {}): Promise<Stack> {
  const environment = { PATH: process.env['PATH'], TMPDIR: process.env['TMPDIR'] };
  const stack = await startStack({
    root,
    dataDir,
    log: () => undefined,
    environment,
    durable: false,
    ...options,
  });
  running.push(stack);
  return stack;
}

function pidsOf(state: StackState): number[] {
  return [...Object.values(state.servers), ...Object.values(state.services)].map(({ pid }) => pid);
}

async function runningPids(state: StackState): Promise<number[]> {
  const found = await Promise.all(pidsOf(state).map(identify));
  return found.flatMap((identity) => (identity === undefined ? [] : [identity.pid]));
}

async function roleOf(url: string): Promise<string> {
  const response = await fetch(url);
  return ((await response.json()) as { role: string }).role;
}

describe('a stack', () => {
  let sharedDir: string;
  let stack: Stack;

  beforeAll(async () => {
    sharedDir = await newDataDir();
    const environment = { ...process.env, MODEL_NAME: 'small', AWS_SECRET_ACCESS_KEY: 'not yours' };
    stack = await startStack({ root, dataDir: sharedDir, log: () => undefined, environment, durable: false });
  });

  afterAll(async () => {
    await stack.stop();
    await rm(sharedDir, { recursive: true, force: true });
  });

  test('runs three servers and six services, each as its own role', async () => {
    const state = stack.state();
    expect(await runningPids(state)).toHaveLength(9);
    expect(await roleOf(state.services['wide-research'].url)).toBe('sb_wide_research_login');
    expect(await readStackState(root, sharedDir)).toEqual(state);
  });

  test('gives a service what is its own and nothing of the environment around it', async () => {
    const { services } = stack.state();
    const runner = await environmentOf(services['agent-runner'].url);
    const collab = await environmentOf(services.collab.url);
    expect(runner).toMatchObject({ MODEL_NAME: 'small', SANDBOX_DIR: join(sharedDir, 'sandboxes') });
    expect(collab).not.toHaveProperty('MODEL_NAME');
    expect(collab).not.toHaveProperty('SANDBOX_DIR');
    for (const variables of [runner, collab]) expect(variables).not.toHaveProperty('AWS_SECRET_ACCESS_KEY');
    expect(new URL(collab['DATABASE_URL'] ?? '').username).toBe('sb_collab_login');
    expect([runner['NATS_USER'], collab['NATS_USER']]).toEqual(['agent-runner', 'collab']);
    expect(runner['NATS_PASSWORD']).not.toBe(collab['NATS_PASSWORD']);
  });

  test('keeps NATS to its users, of which people are the operator', async () => {
    const { host, username, password } = new URL(stack.state().nats_url);
    expect(username).toBe('operator');
    const servers = host;
    const operator = await connect({ servers, user: username, pass: password, reconnect: false });
    await operator.close();
    await expect(connect({ servers, reconnect: false })).rejects.toThrow(/authorization/i);
  });

  test('starts a killed service again at the same address', async () => {
    const before = stack.state().services.credits;
    const { pid, url } = before;
    process.kill(pid, 'SIGKILL');
    await vi.waitFor(
      async () => {
        expect(stack.state().services.credits.pid).not.toBe(pid);
        expect(await roleOf(url)).toBe('sb_credits_login');
      },
      { timeout: 20_000, interval: 50 },
    );
    expect((await readStackState(root, sharedDir))?.services.credits.pid).toBe(
      stack.state().services.credits.pid,
    );
  });

  test.each(['postgres', 'nats', 'redis'] as const)(
    'starts a killed %s again at the same address',
    async (name) => {
      const before = structuredClone(stack.state());
      process.kill(before.servers[name]?.pid ?? 0, 'SIGKILL');
      await vi.waitFor(
        async () => {
          expect(stack.state().servers[name]?.pid).not.toBe(before.servers[name]?.pid);
          expect(await roleOf(before.services.collab.url)).toBe('sb_collab_login');
        },
        { timeout: 20_000, interval: 50 },
      );
      expect(stack.state().postgres_url).toBe(before.postgres_url);
    },
  );

  test('is not disturbed by another one of the same checkout', async () => {
    const other = await start();
    const ports = (state: StackState) => Object.values(state.services).map(({ url }) => new URL(url).port);
    expect(new Set([...ports(stack.state()), ...ports(other.state())]).size).toBe(12);
    await other.stop();
    expect(await roleOf(stack.state().services.collab.url)).toBe('sb_collab_login');
  });

  test('refuses a second start, saying where it runs, and a reset', async () => {
    const second = start({ dataDir: sharedDir });
    await expect(second).rejects.toThrow(StackRunningError);
    await expect(second).rejects.toThrow(stack.state().services.credits.url);
    await expect(clearData(root, sharedDir, () => undefined)).rejects.toThrow(StackRunningError);
  });

  test('stops without leaving a process, and keeps its data and its secrets for the next time', async () => {
    const state = stack.state();
    await stack.stop();
    expect(await runningPids(state)).toEqual([]);
    expect(await readStackState(root, sharedDir)).toBeUndefined();
    stack = await startStack({ root, dataDir: sharedDir, log: () => undefined, durable: false });
    expect(stack.state().jwt_secret).toBe(state.jwt_secret);
  });

  test('once stopped can be cleared, secrets and all', async () => {
    await stack.stop();
    await clearData(root, sharedDir, () => undefined);
    await expect(readFile(join(sharedDir, 'secrets.json'))).rejects.toThrow('ENOENT');
  });
});

async function environmentOf(url: string): Promise<Record<string, string | undefined>> {
  const response = await fetch(`${url}/environment`);
  return (await response.json()) as Record<string, string | undefined>;
}

test('what a killed supervisor left behind is stopped by the next start', async () => {
  const program = join(import.meta.dirname, 'checkout', 'supervise.ts');
  const supervisor = spawn(process.execPath, [program, root, dataDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const state = await new Promise<StackState>((resolve) => {
    supervisor.stdout.once('data', (line: Buffer) => resolve(JSON.parse(line.toString('utf8'))));
  });
  const gone = new Promise((resolve) => supervisor.once('exit', resolve));
  supervisor.kill('SIGKILL');
  await gone;
  expect(await runningPids(state)).toHaveLength(9);

  const lines: string[] = [];
  const next = await start({ log: (line) => lines.push(line) });
  expect(await runningPids(state)).toEqual([]);
  expect(lines[0]).toMatch(/^stopping what an earlier run left behind: .*credits.*/);
  expect(next.state().jwt_secret).toBe(state.jwt_secret);
});

test('a service that cannot start fails the whole with the end of its log, and nothing stays', async () => {
  const failing = start({
    overrides: { FAIL_AT_START: 'no such thing' },
  });
  await expect(failing).rejects.toThrow(/ended while starting.*no such thing/s);
  expect(await recordedProcesses(dataDir)).toEqual(new Map());
});

test('a start is given up when its signal fires', async () => {
  const controller = new AbortController();
  const starting = start({
    signal: controller.signal,
    log: (line) => {
      if (line === 'database migrated') controller.abort(new Error('enough'));
    },
  });
  await expect(starting).rejects.toThrow('enough');
  expect(await readStackState(root, dataDir)).toBeUndefined();
});

describe('a given Postgres', () => {
  let given: Server;

  beforeAll(async () => {
    const place = await newDataDir();
    given = await startPostgres({ dataDir: join(place, 'given'), durable: false });
    return async () => {
      await given.stop();
      await rm(place, { recursive: true, force: true });
    };
  });

  test('is used, with the role taken in the session, when its user is a superuser', async () => {
    const environment = { ...process.env, DATABASE_URL: given.url };
    const state = (await start({ environment })).state();
    expect(state.postgres_url).toBe(given.url);
    expect(state.servers.postgres).toBeUndefined();
    expect(await environmentOf(state.services.collab.url)).toMatchObject({
      DATABASE_URL: given.url,
      DATABASE_SESSION_ROLE: 'sb_collab_login',
    });
  });

  test('of a plain user needs a password for each role, and every missing one is named', async () => {
    const client = new pg.Client({ connectionString: given.url });
    await client.connect();
    await client.query("CREATE ROLE plain LOGIN CREATEROLE PASSWORD 'plain'");
    await client.end();
    const plain = new URL(given.url);
    plain.username = 'plain';
    plain.password = 'plain';
    const environment = { ...process.env, DATABASE_URL: plain.href, DATABASE_PASSWORD_CREDITS: 'given' };
    const starting = start({ environment });
    await expect(starting).rejects.toThrow(/DATABASE_PASSWORD_AGENT_RUNNER, DATABASE_PASSWORD_CONNECTORS/);
    await expect(starting).rejects.not.toThrow('DATABASE_PASSWORD_CREDITS,');
  });
});
