import { ConnectionError, problemOf } from './problem.ts';
import { defaultRetry, type RetryPolicy, withRetry } from './retry.ts';

/** A bearer token, or where to get one: asked again for each attempt, so that a short token can be renewed. */
export type TokenSource = string | (() => string | Promise<string>);

export interface TransportOptions {
  readonly token: TokenSource;
  /** How long one attempt may take to its last byte; milliseconds. */
  readonly timeoutMs?: number;
  readonly retry?: RetryPolicy;
}

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly url: URL;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** True when repeating the request is harmless. GET is; a POST is with an idempotency key. */
  readonly repeatable?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Sends requests with the token, a time limit for each attempt, and retries where repeating is harmless. */
export interface Transport {
  /** The JSON body of the answer. @throws ApiProblem or ConnectionError */
  json<T>(request: ApiRequest): Promise<T>;
  /** One attempt; resolves with the headers, the body follows. @throws ApiProblem or ConnectionError */
  open(request: ApiRequest, options?: { readonly withToken?: boolean }): Promise<Response>;
}

/** Creates the transport that all parts of a client share. */
export function createTransport(options: TransportOptions): Transport {
  const timeoutMs = options.timeoutMs ?? 15_000;
  const policy = options.retry ?? defaultRetry;
  const tokenOf = async () => (typeof options.token === 'string' ? options.token : await options.token());

  const headersOf = async (request: ApiRequest, withToken: boolean) => ({
    accept: 'application/json',
    ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
    ...request.headers,
    ...(withToken ? { authorization: `Bearer ${await tokenOf()}` } : {}),
  });

  const send = async (request: ApiRequest, withToken: boolean, limit: AbortSignal): Promise<Response> => {
    const response = await fetch(request.url, {
      method: request.method,
      headers: await headersOf(request, withToken),
      body: request.body === undefined ? null : JSON.stringify(request.body),
      signal: request.signal ? AbortSignal.any([limit, request.signal]) : limit,
    });
    if (!response.ok) throw await problemOf(response);
    return response;
  };

  return {
    async json<T>(request: ApiRequest): Promise<T> {
      const repeatable = request.repeatable ?? request.method === 'GET';
      const once = { ...policy, attempts: 1 };
      return withRetry(repeatable ? policy : once, request.signal, async () => {
        const limit = AbortSignal.timeout(timeoutMs);
        return explained(request, limit, async () => (await send(request, true, limit)).json() as Promise<T>);
      });
    },
    async open(request, { withToken = true } = {}) {
      const limit = new AbortController();
      const timer = setTimeout(() => limit.abort(new DOMException('time is up', 'TimeoutError')), timeoutMs);
      try {
        return await explained(request, limit.signal, () => send(request, withToken, limit.signal));
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

/** Names the address in what the platform says about a failed connection; lets the caller's abort through. */
async function explained<T>(request: ApiRequest, limit: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (request.signal?.aborted) throw request.signal.reason;
    const where = `${request.url.origin}${request.url.pathname}`;
    if (limit.aborted) throw new ConnectionError(where, true, error);
    // fetch reports every failure below HTTP, and a body cut short, as a TypeError; JSON cut short is a SyntaxError.
    if (error instanceof TypeError || error instanceof SyntaxError) {
      throw new ConnectionError(where, false, error);
    }
    throw error;
  }
}
