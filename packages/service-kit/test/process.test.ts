import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { serviceEnvironment } from '@swissbrain/testkit/environment';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Stack, startStack } from './stack.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(async () => stack.stop());

interface Run {
  readonly child: ChildProcess;
  readonly exited: Promise<unknown[]>;
  output(): string;
}

function start(environment: Readonly<Record<string, string>>, ...args: string[]): Run {
  const main = new URL('./tiny-service.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [main, ...args], {
    env: { PATH: process.env.PATH ?? '', ...environment },
  });
  let text = '';
  const read = (chunk: Buffer): void => {
    text += chunk.toString('utf8');
  };
  child.stdout.on('data', read);
  child.stderr.on('data', read);
  return { child, exited: once(child, 'exit'), output: () => text };
}
const environment = (overrides: Record<string, string> = {}) =>
  serviceEnvironment('credits', { ...stack, overrides: { LOG_LEVEL: 'info', ...overrides } });

async function untilListening(run: Run): Promise<string> {
  const line = await waitFor(() => /"url":"([^"]+)"/.exec(run.output()), {
    describe: 'the service to listen',
  });
  return line[1] ?? '';
}

describe('the process of a service', () => {
  it('reports every problem of its configuration and none of its values', async () => {
    const run = start({
      ...environment({ PORT: 'many', REDIS_URL: 'http://s3cret' }),
      DATABASE_URL: '',
      AUTH_JWT_SECRET: '',
    });
    expect(await run.exited).toEqual([1, null]);
    for (const name of ['DATABASE_URL', 'PORT', 'REDIS_URL', 'AUTH_JWT_SECRET'])
      expect(run.output()).toContain(name);
    expect(run.output()).not.toContain('s3cret');
  });

  it('checks its configuration without starting', async () => {
    const run = start(environment(), '--check-config');
    expect(await run.exited).toEqual([0, null]);
    expect(run.output()).toContain('valid');
  });

  it('stops in order on SIGTERM', async () => {
    const run = start(environment());
    const url = await untilListening(run);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    run.child.kill('SIGTERM');
    expect(await run.exited).toEqual([0, null]);
    expect(run.output()).toContain('"msg":"stopped"');
    const held = await stack.database.query('SELECT 1 FROM outbox_shards WHERE owner IS NOT NULL');
    expect(held).toEqual([]);
  });

  it('stops and fails on a failure that nobody caught', async () => {
    const run = start(environment());
    const url = await untilListening(run);
    await fetch(`${url}/crash`).catch(() => {});
    expect(await run.exited).toEqual([1, null]);
    expect(run.output()).toContain('nobody caught');
    expect(await stack.database.query('SELECT 1 FROM outbox_shards WHERE owner IS NOT NULL')).toEqual([]);
  });

  it('fails when its address is taken, and releases what it had', async () => {
    const first = start(environment());
    const { port } = new URL(await untilListening(first));
    const second = start(environment({ PORT: port }));
    expect(await second.exited).toEqual([1, null]);
    expect(second.output()).toContain('EADDRINUSE');
    first.child.kill('SIGTERM');
    await first.exited;
  });
});
