import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { newestMigration } from '@swissbrain/shared-schema/db/newest-migration';
import { serviceEnvironment } from '@swissbrain/testkit/environment';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Stack, startStack } from './stack.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(async () => stack.stop());

const forget = () =>
  stack.database.query('DELETE FROM public.schema_migrations WHERE version = $1', [newestMigration]);
const remember = () =>
  stack.database.query('INSERT INTO public.schema_migrations (version) VALUES ($1) ON CONFLICT DO NOTHING', [
    newestMigration,
  ]);
afterEach(remember);

function start(program: string, args: readonly string[], overrides: Record<string, string> = {}) {
  const environment = serviceEnvironment('credits', {
    ...stack,
    overrides: { LOG_LEVEL: 'info', ...overrides },
  });
  const child = spawn(process.execPath, [new URL(program, import.meta.url).pathname, ...args], {
    env: { PATH: process.env.PATH ?? '', ...environment },
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
    });
  }
  return { child, exited: once(child, 'exit'), output: () => text };
}
const wait = (overrides?: Record<string, string>) =>
  start('../src/wait-for-schema.ts', ['credits'], overrides);

describe('the schema that a service was built with', () => {
  it('is waited for, and the reason is told', async () => {
    await forget();
    const waiting = wait();
    await waitFor(() => waiting.output().includes('has not been applied yet'), {
      describe: 'the reason to wait',
    });
    expect(waiting.child.exitCode).toBe(null);
    await remember();
    expect(await waiting.exited).toEqual([0, null]);
    expect(waiting.output()).toContain('the schema is there');
  });

  it('is waited for where there is no database yet, and not for ever', async () => {
    const url = new URL(stack.database.adminUrl);
    url.pathname = '/no_such_database';
    const waiting = wait({ DATABASE_URL: url.href, SCHEMA_WAIT_SECONDS: '1' });
    expect(await waiting.exited).toEqual([1, null]);
    expect(waiting.output()).toMatch(/no_such_database.*does not exist/);
    expect(waiting.output()).toContain('the schema did not come');
  });

  it('ends at once when told to stop', async () => {
    await forget();
    const waiting = wait();
    await waitFor(() => waiting.output().includes('waiting for the schema'), {
      describe: 'the wait to begin',
    });
    waiting.child.kill('SIGTERM');
    expect(await waiting.exited).toEqual([1, null]);
  });

  it('is part of readiness: a service on an older one takes no requests', async () => {
    const service = start('./tiny-service.ts', []);
    const line = await waitFor(() => /"url":"([^"]+)"/.exec(service.output()), {
      describe: 'the service to listen',
    });
    expect((await fetch(`${line[1]}/readyz`)).status).toBe(200);
    await forget();
    const answer = await fetch(`${line[1]}/readyz`);
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({
      checks: {
        postgres: 'up',
        schema: `the database lacks migration ${newestMigration}: run the migrations`,
      },
    });
    service.child.kill('SIGTERM');
    await service.exited;
  });
});
