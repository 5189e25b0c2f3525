import { kitErrors } from '@swissbrain/service-kit/errors';
import { connectNats, type Nats } from '@swissbrain/service-kit/nats';
import { createRpc } from '@swissbrain/service-kit/rpc';
import { defineRpc } from '@swissbrain/shared-schema/rpc/definition';
import { startTestNats } from '@swissbrain/testkit/nats';
import type { TestServer } from '@swissbrain/testkit/server';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { systemClock } from '../src/clock.ts';
import { quietLog } from './stack.ts';

let server: TestServer;
let nats: Nats;
let rpc: ReturnType<typeof createRpc>;

beforeAll(async () => {
  server = await startTestNats();
  nats = await connectNats('kit', { NATS_URL: server.url }, quietLog);
});
afterAll(async () => {
  await nats.connection.close();
  await server.stop();
});
beforeEach(() => {
  rpc = createRpc(nats.connection, quietLog, systemClock);
  return () => rpc.close();
});

let methods = 0;
function method(timeoutMs = 5_000) {
  methods += 1;
  return defineRpc({
    service: 'credits',
    method: `kit_${methods}`,
    request: z.object({ a: z.number().int(), b: z.number().int().default(1) }),
    response: z.object({ sum: z.number() }),
    timeoutMs,
  });
}

describe('rpc', () => {
  it('asks and answers, both sides parsed', async () => {
    const add = method();
    rpc.serve(add, async ({ a, b }) => ({ sum: a + b, secret: 'not in the schema' }));
    expect(await rpc.call(add, { a: 1, b: 2 })).toEqual({ sum: 3 });
    expect(await rpc.call(add, { a: 1 })).toEqual({ sum: 2 });
  });

  it('tells whether a method is served, without calling it', async () => {
    const add = method();
    expect(await rpc.isServed(add)).toBe(false);
    let calls = 0;
    rpc.serve(add, async ({ a }) => {
      calls += 1;
      return { sum: a };
    });
    expect(await rpc.isServed(add)).toBe(true);
    expect(calls).toBe(0);
    await rpc.close();
    expect(await rpc.isServed(add)).toBe(false);
  });

  it('passes deadline and idempotency key', async () => {
    const add = method(3_000);
    const asked = systemClock.now().getTime();
    rpc.serve(add, async (_request, { deadline, idempotencyKey }) => {
      expect(idempotencyKey).toBe('key-1');
      return { sum: deadline.getTime() - asked };
    });
    const { sum } = await rpc.call(add, { a: 1 }, { idempotencyKey: 'key-1' });
    expect(sum).toBeGreaterThanOrEqual(3_000);
  });

  it('brings an AppError over as it was', async () => {
    const add = method();
    rpc.serve(add, async () => {
      throw kitErrors.database_conflict('lost a race', { table: 'x' });
    });
    await expect(rpc.call(add, { a: 1 })).rejects.toMatchObject({
      code: 'database_conflict',
      status: 503,
      detail: 'lost a race',
      retry: 'later',
      extensions: { table: 'x' },
    });
  });

  it('hides any other failure', async () => {
    const add = method();
    rpc.serve(add, async () => {
      throw new Error('the password is hunter2');
    });
    const failure = await rpc.call(add, { a: 1 }).catch((thrown: unknown) => thrown);
    expect(failure).toMatchObject({ code: 'internal', status: 500 });
    expect(String(failure)).not.toContain('hunter2');
  });

  it('refuses a request that does not parse, at either end', async () => {
    const add = method();
    rpc.serve(add, async ({ a }) => ({ sum: a }));
    await expect(rpc.call(add, { a: 1.5 })).rejects.toThrow(z.ZodError);
    const reply = await nats.connection.request(`rpc.credits.${add.method}`, '{"a": "one"}');
    expect(reply.headers?.get('sb-problem')).toBe('invalid_request');
    const garbage = await nats.connection.request(`rpc.credits.${add.method}`, '{');
    expect(garbage.headers?.get('sb-problem')).toBe('invalid_request');
  });

  it('fails at once when nobody serves, in time when nobody answers', async () => {
    await expect(rpc.call(method(), { a: 1 })).rejects.toMatchObject({
      code: 'rpc_unavailable',
      retry: 'later',
    });
    const silent = method(100);
    nats.connection.subscribe(`rpc.credits.${silent.method}`, { callback: () => {} });
    await expect(rpc.call(silent, { a: 1 })).rejects.toMatchObject({ code: 'rpc_timeout', retry: 'later' });
  });

  it('shares calls between replicas', async () => {
    const add = method();
    const replica = createRpc(nats.connection, quietLog, systemClock);
    let calls = 0;
    const handler = async () => ({ sum: ++calls });
    rpc.serve(add, handler);
    replica.serve(add, handler);
    await Promise.all(Array.from({ length: 20 }, () => rpc.call(add, { a: 1 })));
    expect(calls).toBe(20);
    await replica.close();
  });

  it('works again after the server was killed', async () => {
    const add = method(500);
    rpc.serve(add, async ({ a }) => ({ sum: a }));
    await server.kill();
    await waitFor(() => !nats.isConnected());
    await expect(rpc.call(add, { a: 1 })).rejects.toMatchObject({ retry: 'later' });
    await server.restart();
    expect(await waitFor(() => rpc.call(add, { a: 5 }))).toEqual({ sum: 5 });
  });
});
