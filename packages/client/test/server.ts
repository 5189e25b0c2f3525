import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type Api, createApi } from '../src/api.ts';
import type { Transport } from '../src/transport.ts';

export type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

export interface TestServer extends AsyncDisposable {
  readonly url: string;
  readonly requests: readonly {
    readonly method: string;
    readonly path: string;
    readonly headers: IncomingMessage['headers'];
  }[];
}

/** A real HTTP server on a free port that answers every request with `handler`. */
export async function startServer(handler: Handler): Promise<TestServer> {
  const requests: TestServer['requests'][number][] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (chunk: string) => {
      body += chunk;
    });
    request.on('end', () => {
      requests.push({ method: request.method ?? '', path: request.url ?? '', headers: request.headers });
      handler(request, response, body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the test server has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Answers with JSON. */
export function reply(response: ServerResponse, status: number, body: unknown): void {
  const type = status >= 400 ? 'application/problem+json' : 'application/json';
  response.writeHead(status, { 'content-type': type }).end(JSON.stringify(body));
}

/** agent-runner's API at the address of a test server. */
export function agentRunnerAt(transport: Transport, url: string): Api['agentRunner'] {
  const urls = {
    agentRunner: url,
    collab: url,
    connectors: url,
    credits: url,
    scheduler: url,
    wideResearch: url,
  };
  return createApi(transport, urls).agentRunner;
}
