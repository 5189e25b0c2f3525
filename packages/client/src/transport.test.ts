import { describe, expect, it } from 'vitest';
import { reply, startServer } from '../test/server.ts';
import { ApiProblem, ConnectionError } from './problem.ts';
import { createTransport, type Transport } from './transport.ts';

const retry = { attempts: 3, baseMs: 1, capMs: 2 };

const json = async (transport: Transport, url: string): Promise<unknown> =>
  (await transport.fetch(new Request(url))).json();

describe('fetch', () => {
  it('sends the token and returns the body', async () => {
    await using server = await startServer((_, response) => reply(response, 200, { ok: true }));
    const transport = createTransport({ token: async () => 'secret-token', retry });
    expect(await json(transport, server.url)).toEqual({ ok: true });
    expect(server.requests[0]?.headers.authorization).toBe('Bearer secret-token');
  });

  it('throws a problem with every field and keeps the extensions', async () => {
    const sent = {
      type: 'https://swissbrain.dev/problems/unknown_tool',
      title: 'Unknown tool',
      status: 422,
      detail: 'step chart asks for the tool "paint"',
      code: 'unknown_tool',
      instance: '/v1/runs',
      step: 'chart',
    };
    await using server = await startServer((_, response) => reply(response, 422, sent));
    const error = await createTransport({ token: 't', retry })
      .fetch(new Request(server.url))
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ApiProblem);
    const { type, title, status, detail, code, instance, extensions } = error as ApiProblem;
    expect({ type, title, status, detail, code, instance, ...extensions }).toEqual(sent);
    expect((error as ApiProblem).retry).toBe('never');
    expect(server.requests).toHaveLength(1);
  });

  it('describes an answer that is no problem document', async () => {
    await using server = await startServer((_, response) => {
      response.writeHead(404, { 'content-type': 'text/html' }).end('<h1>nginx</h1>');
    });
    await expect(createTransport({ token: 't', retry }).fetch(new Request(server.url))).rejects.toMatchObject(
      {
        status: 404,
        code: 'unexpected_response',
        detail: '<h1>nginx</h1>',
        retry: 'never',
      },
    );
  });

  it('repeats a GET over dropped connections and 503', async () => {
    let calls = 0;
    await using server = await startServer((request, response) => {
      calls += 1;
      if (calls === 1) request.socket.destroy();
      else if (calls === 2) reply(response, 503, { title: 'Starting' });
      else reply(response, 200, { calls });
    });
    const transport = createTransport({ token: 't', retry });
    expect(await json(transport, server.url)).toEqual({ calls: 3 });
  });

  it('repeats a POST with its body under one key, and under that of the caller', async () => {
    const bodies: string[] = [];
    await using server = await startServer((_, response, body) => {
      bodies.push(body);
      if (bodies.length % 2 === 1) reply(response, 503, { title: 'Starting' });
      else reply(response, 201, { done: true });
    });
    const transport = createTransport({ token: 't', retry });
    await transport.fetch(new Request(server.url, { method: 'POST', body: '{"a":1}' }));
    const headers = { 'idempotency-key': 'mine' };
    await transport.fetch(new Request(server.url, { method: 'POST', body: '{"a":2}', headers }));
    expect(bodies).toEqual(['{"a":1}', '{"a":1}', '{"a":2}', '{"a":2}']);
    const [first, second, ...own] = server.requests.map((request) => request.headers['idempotency-key']);
    expect(first).toMatch(/^[0-9a-f-]{36}$/);
    expect(second).toBe(first);
    expect(own).toEqual(['mine', 'mine']);
  });

  it('takes an answer without a body', async () => {
    await using server = await startServer((_, response) => void response.writeHead(204).end());
    const answer = await createTransport({ token: 't', retry }).fetch(
      new Request(server.url, { method: 'DELETE' }),
    );
    expect([answer.status, await answer.text()]).toEqual([204, '']);
  });

  it('gives up on a server that does not answer in time', async () => {
    await using server = await startServer(() => undefined);
    const transport = createTransport({ token: 't', retry: { ...retry, attempts: 1 }, timeoutMs: 50 });
    const error = await transport.fetch(new Request(server.url)).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ConnectionError);
    expect((error as ConnectionError).timedOut).toBe(true);
  });

  it('names the address of a server that is not there', async () => {
    const gone = await startServer(() => undefined);
    await gone[Symbol.asyncDispose]();
    await expect(
      createTransport({ token: 't', retry }).fetch(new Request(`${gone.url}/v1/runs?x=1`)),
    ).rejects.toThrow(`${gone.url}/v1/runs cannot be reached (ECONNREFUSED)`);
  });

  it('ends with the reason of the caller that gives up', async () => {
    const controller = new AbortController();
    await using server = await startServer(() => controller.abort(new Error('no longer needed')));
    await expect(
      createTransport({ token: 't', retry }).fetch(new Request(server.url, { signal: controller.signal })),
    ).rejects.toThrow('no longer needed');
  });
});
