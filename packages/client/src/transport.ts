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

/** A request whose answer is read as it comes. */
export interface StreamRequest {
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/** Sends requests with the token, a time limit for each attempt, and retries where repeating is harmless. */
export interface Transport {
  /**
   * As the platform's fetch, with the whole body read and failures thrown. A POST carries an idempotency key, made
   * once and kept across retries, unless it brings its own. @throws ApiProblem or ConnectionError
   */
  fetch(request: Request): Promise<Response>;
  /** One attempt to GET; resolves with the headers, the body follows. @throws ApiProblem or ConnectionError */
  open(request: StreamRequest, options?: { readonly withToken?: boolean }): Promise<Response>;
}

const keyHeader = 'idempotency-key';
/** As they may be sent again (RFC 9110, section 9.2.2); a POST with a key is one effect, however often it is sent. */
const repeatable: ReadonlySet<string> = new Set(['GET', 'PUT', 'DELETE']);

/** Creates the transport that all parts of a client share. */
export function createTransport(options: TransportOptions): Transport {
  const timeoutMs = options.timeoutMs ?? 15_000;
  const policy = options.retry ?? defaultRetry;
  const tokenOf = async () => (typeof options.token === 'string' ? options.token : await options.token());

  const ask = async (url: string, init: RequestInit): Promise<Response> => {
    const response = await fetch(url, init);
    if (!response.ok) throw await problemOf(response);
    return response;
  };
  const authorized = async (given: Headers): Promise<Headers> => {
    const headers = new Headers(given);
    headers.set('authorization', `Bearer ${await tokenOf()}`);
    return headers;
  };

  return {
    async fetch(request) {
      const { method, url, signal } = request;
      const headers = new Headers(request.headers);
      headers.set('accept', 'application/json');
      if (method === 'POST' && !headers.has(keyHeader)) headers.set(keyHeader, crypto.randomUUID());
      const body = request.body === null ? null : await request.arrayBuffer();
      const mayRepeat = repeatable.has(method) || headers.has(keyHeader);
      return withRetry(mayRepeat ? policy : { ...policy, attempts: 1 }, signal, () => {
        const limit = AbortSignal.timeout(timeoutMs);
        return explained({ url: new URL(url), signal }, limit, async () => {
          const sent = {
            method,
            headers: await authorized(headers),
            body,
            signal: AbortSignal.any([limit, signal]),
          };
          const response = await ask(url, sent);
          const read = await response.arrayBuffer();
          return new Response(read.byteLength === 0 ? null : read, response);
        });
      });
    },
    async open(request, { withToken = true } = {}) {
      const limit = new AbortController();
      const timer = setTimeout(() => limit.abort(new DOMException('time is up', 'TimeoutError')), timeoutMs);
      const given = new Headers(request.headers);
      try {
        return await explained(request, limit.signal, async () =>
          ask(request.url.href, {
            headers: withToken ? await authorized(given) : given,
            signal: request.signal ? AbortSignal.any([limit.signal, request.signal]) : limit.signal,
          }),
        );
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

/** Names the address in what the platform says about a failed connection; lets the caller's abort through. */
async function explained<T>(request: StreamRequest, limit: AbortSignal, work: () => Promise<T>): Promise<T> {
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
