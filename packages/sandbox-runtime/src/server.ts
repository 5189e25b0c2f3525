import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { type Answer, refuseStranger, sendAnswer } from './answer.ts';
import { type AuthenticRequest, authenticate } from './authenticate.ts';
import { RuntimeFault } from './faults.ts';
import type { FaultBody } from './protocol.ts';
import type { ReplayGuard } from './replay-guard.ts';
import type { Route } from './routes.ts';
import type { SessionKeys } from './signing.ts';

export interface ServerOptions {
  readonly keys: SessionKeys;
  readonly guard: ReplayGuard;
  readonly routes: readonly Route[];
  /** Called when an authentic request begins; the function it returns is called when its answer is out. */
  onRequest(): () => void;
}

// `import 'node:http'` reads each of its names, WebSocket among them, for which Node loads a whole HTTP client: 40 ms of a
// processor, most of what this process takes to start.
const { createServer } = process.getBuiltinModule('node:http');

/** Opens the session's port. Nothing is answered until `serveRoutes` is called. */
export async function openServer(host: string, port: number): Promise<Server> {
  const server = createServer({ maxHeaderSize: 16 * 1024, headersTimeout: 10_000, requestTimeout: 600_000 });
  server.maxConnections = 512;
  server.keepAliveTimeout = 60_000;
  server.listen(port, host);
  await once(server, 'listening');
  return server;
}

/** Answers authentic requests by the routes. Strangers get 401 and learn nothing. */
export function serveRoutes(server: Server, options: ServerOptions): void {
  server.on('request', (request, response) => {
    const authentic = authenticate(request, options.keys, options.guard);
    if (!authentic) return refuseStranger(response);
    serve(options, authentic, request, response).catch((error: unknown) => {
      process.stderr.write(`${request.method} answer failed: ${describe(error)}\n`);
      response.destroy();
    });
  });
}

async function serve(
  options: ServerOptions,
  authentic: AuthenticRequest,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const done = options.onRequest();
  try {
    const answer = await answerTo(options.routes, authentic, response).catch((error: unknown) =>
      // A caller who hung up in the middle of its body is no failure of ours.
      response.destroyed ? null : faultAnswer(error),
    );
    if (answer === null) return;
    await sendAnswer(response, options.keys, authentic.nonce, answer);
    // A caller that still sends what was refused could not read the answer if the connection closed under it.
    request.resume();
  } finally {
    done();
  }
}

async function answerTo(
  routes: readonly Route[],
  authentic: AuthenticRequest,
  response: ServerResponse,
): Promise<Answer> {
  checkStanding(authentic);
  // Taken apart by hand: URL would resolve the `..` that a route has to see and refuse.
  const [pathname = '', search = ''] = authentic.target.split('?', 2);
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  for (const route of routes) {
    const match = route.method === authentic.method ? route.pattern.exec(pathname) : null;
    if (!match) continue;
    return route.handle({
      query: new URLSearchParams(search),
      captured: decode(match[1] ?? ''),
      body: authentic.body,
      stream: authentic.stream,
      signal: gone.signal,
    });
  }
  throw new RuntimeFault(404, 'route_missing', 'there is no such endpoint');
}

function checkStanding({ standing }: AuthenticRequest): void {
  if (standing === 'stale') throw new RuntimeFault(401, 'request_stale', 'the clocks differ too much');
  if (standing === 'replayed')
    throw new RuntimeFault(401, 'request_replayed', 'this request was seen before');
  if (standing === 'full') throw new RuntimeFault(429, 'busy', 'too many requests at once');
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new RuntimeFault(400, 'request_invalid', 'the path is badly encoded');
  }
}

function faultAnswer(error: unknown): Answer {
  if (error instanceof RuntimeFault) {
    const body: FaultBody = { error: { code: error.code, message: error.message } };
    return { status: error.status, json: body };
  }
  process.stderr.write(`request failed: ${describe(error)}\n`);
  const body: FaultBody = { error: { code: 'internal', message: 'the sandbox failed at this request' } };
  return { status: 500, json: body };
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
