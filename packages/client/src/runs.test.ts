import { describe, expect, it } from 'vitest';
import { agentRunnerAt, reply, startServer } from '../test/server.ts';
import { createRuns } from './runs.ts';
import { createTransport } from './transport.ts';

const transport = createTransport({ token: 't', retry: { attempts: 4, baseMs: 1, capMs: 2 } });

const runsAt = (url: string) => createRuns(transport, agentRunnerAt(transport, url), url);

describe('create', () => {
  it('keeps one idempotency key over its retries and takes a new one for the next run', async () => {
    let calls = 0;
    await using server = await startServer((request, response) => {
      calls += 1;
      if (calls === 1) request.socket.destroy();
      else if (calls === 2) reply(response, 503, { title: 'Starting' });
      else reply(response, 201, { id: 'a run' });
    });
    const runs = runsAt(server.url);
    await runs.create({ goal: 'first' });
    await runs.create({ goal: 'second' });
    const keys = server.requests.map((request) => request.headers['idempotency-key']);
    expect(keys).toHaveLength(4);
    expect(new Set(keys.slice(0, 3)).size).toBe(1);
    expect(keys[3]).not.toBe(keys[0]);
  });

  it('uses the key it is given', async () => {
    await using server = await startServer((_, response) => reply(response, 201, {}));
    await runsAt(server.url).create({ goal: 'x' }, { idempotencyKey: 'order-7' });
    expect(server.requests[0]?.headers['idempotency-key']).toBe('order-7');
  });
});

describe('list', () => {
  it('puts only what is set into the query and keeps the path of the base', async () => {
    await using server = await startServer((_, response) =>
      reply(response, 200, { items: [], next_cursor: null }),
    );
    await runsAt(`${server.url}/swissbrain/`).list({
      limit: 5,
      status: 'failed',
    });
    expect(server.requests[0]?.path).toBe('/swissbrain/v1/runs?limit=5&status=failed');
  });
});

describe('steps', () => {
  it('reads page after page', async () => {
    await using server = await startServer((request, response) => {
      const after = Number(new URL(request.url ?? '', 'http://server').searchParams.get('after'));
      const page =
        after < 0
          ? { items: [{ key: 'a' }, { key: 'b' }], next_after: 1 }
          : { items: [{ key: 'c' }], next_after: null };
      reply(response, 200, page);
    });
    const keys: string[] = [];
    for await (const step of runsAt(server.url).steps('r')) keys.push(step.key);
    expect(keys).toEqual(['a', 'b', 'c']);
  });
});
