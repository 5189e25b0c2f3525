import type { Answer } from './answer.ts';
import type { CodeHost } from './code-host.ts';
import { parseExecutionRequest, type SessionCaps } from './execution-request.ts';
import type { Executions } from './executions.ts';
import { RuntimeFault } from './faults.ts';
import { encodeOutputAnswer } from './output-frames.ts';
import { executionIdPattern, maxWaitMs } from './protocol.ts';

/** A request as a route sees it: authentic, fresh, with its target taken apart. */
export interface RouteRequest {
  readonly query: URLSearchParams;
  /** The part of the path that the route's pattern captured, decoded. */
  readonly captured: string;
  body(): Promise<Buffer>;
  stream(): AsyncIterable<Buffer>;
  /** Fires when the caller has hung up. */
  readonly signal: AbortSignal;
}

export interface Route {
  readonly method: string;
  readonly pattern: RegExp;
  handle(request: RouteRequest): Promise<Answer>;
}

export interface RouteOptions {
  readonly host: CodeHost;
  readonly executions: Executions;
  readonly caps: SessionCaps;
  readonly diskMb: number;
  /** Begins to end the session; must return at once. */
  shutDown(): void;
}

/** All that a session can be asked for. */
export function createRoutes(options: RouteOptions): readonly Route[] {
  return [...sessionRoutes(options), ...executionRoutes(options), ...fileRoutes(options)];
}

function sessionRoutes({ host, executions, shutDown }: RouteOptions): Route[] {
  return [
    { method: 'GET', pattern: /^\/health$/, handle: async () => ok({}) },
    {
      method: 'GET',
      pattern: /^\/runtime$/,
      handle: async () => ok({ languages: await host.languages(), running: executions.runningCount() }),
    },
    {
      method: 'POST',
      pattern: /^\/shutdown$/,
      async handle() {
        shutDown();
        return { status: 202, json: {} };
      },
    },
  ];
}

function executionRoutes({ executions, caps }: RouteOptions): Route[] {
  return [
    {
      method: 'PUT',
      pattern: /^\/executions\/([^/]+)$/,
      async handle(request) {
        const id = executionId(request);
        const { record, started } = await executions.start(
          id,
          parseExecutionRequest(await request.body(), caps),
        );
        return { status: started ? 201 : 200, json: record };
      },
    },
    {
      method: 'GET',
      pattern: /^\/executions\/([^/]+)$/,
      handle: async (request) => ok(executions.record(executionId(request))),
    },
    {
      method: 'GET',
      pattern: /^\/executions\/([^/]+)\/output$/,
      async handle(request) {
        const waitMs = wholeNumber(request.query, 'wait', maxWaitMs);
        const offset = wholeNumber(request.query, 'offset', Number.MAX_SAFE_INTEGER);
        const wait = AbortSignal.any([request.signal, AbortSignal.timeout(waitMs)]);
        const { frames, nextOffset, finished } = await executions.output(executionId(request), offset, wait);
        return { status: 200, bytes: encodeOutputAnswer({ next_offset: nextOffset, finished }, frames) };
      },
    },
    {
      method: 'POST',
      pattern: /^\/executions\/([^/]+)\/kill$/,
      handle: async (request) => ok(await executions.kill(executionId(request))),
    },
  ];
}

function fileRoutes({ host, executions, diskMb }: RouteOptions): Route[] {
  const room = async () => Math.max(diskMb * 1024 * 1024 - (await host.usage()), 0);
  return [
    { method: 'GET', pattern: /^\/files$/, handle: async () => ok(await host.list()) },
    {
      method: 'PUT',
      pattern: /^\/files\/(.+)$/,
      handle: async (request) => ok(await host.writeFile(request.captured, request.stream(), await room())),
    },
    {
      method: 'GET',
      pattern: /^\/files\/(.+)$/,
      handle: async (request) => ({ status: 200, stream: await host.readFile(request.captured) }),
    },
    {
      method: 'DELETE',
      pattern: /^\/files\/(.+)$/,
      async handle(request) {
        await host.deleteFile(request.captured);
        return ok({});
      },
    },
    {
      method: 'GET',
      pattern: /^\/workspace$/,
      handle: async () => ({ status: 200, stream: host.archive() }),
    },
    {
      method: 'PUT',
      pattern: /^\/workspace$/,
      async handle(request) {
        if (executions.runningCount() > 0) {
          throw new RuntimeFault(409, 'busy', 'the workspace cannot be replaced while a program runs');
        }
        await host.restore(request.stream(), diskMb * 1024 * 1024);
        return ok({});
      },
    },
  ];
}

function ok(json: unknown): Answer {
  return { status: 200, json };
}

function executionId({ captured }: RouteRequest): string {
  if (executionIdPattern.test(captured)) return captured;
  throw new RuntimeFault(400, 'request_invalid', 'an execution id is at most 64 letters, digits, - and _');
}

function wholeNumber(query: URLSearchParams, name: string, most: number): number {
  const text = query.get(name) ?? '0';
  if (!/^\d{1,16}$/.test(text)) throw new RuntimeFault(400, 'request_invalid', `${name} is a whole number`);
  return Math.min(Number(text), most);
}
