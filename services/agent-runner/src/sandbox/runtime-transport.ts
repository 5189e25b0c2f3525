import { randomBytes } from 'node:crypto';
import { Agent, type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { wallClockMs } from '@swissbrain/sandbox-runtime/clock';
import { sealStream, unsealStream } from '@swissbrain/sandbox-runtime/sealed-stream';
import {
  answerMac,
  deriveKeys,
  macMatches,
  requestMac,
  sha256Hex,
  signatureHeaders,
  streamedDigest,
} from '@swissbrain/sandbox-runtime/signing';

export interface RuntimeAddress {
  readonly host: string;
  readonly port: number;
  readonly secret: string;
}

export interface RuntimeCall {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** Path and query, encoded. */
  readonly target: string;
  /** Sent whole, or sealed piece by piece when it is a stream. */
  readonly body?: Buffer | AsyncIterable<Uint8Array>;
  /** For the head of the answer, in milliseconds; for a streamed body counted from its end. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** An answer whose origin is proven: only the holder of the session's secret could have made it. */
export interface RuntimeAnswer {
  readonly status: number;
  /** The whole body; rejects when it is not the one that was signed. */
  bytes(): Promise<Buffer>;
  /** The body piece by piece, each one verified. */
  stream(): AsyncIterable<Buffer>;
}

/** What answers is not the runtime of this session. */
export class ForgedAnswer extends Error {
  constructor() {
    super('the answer does not come from the runtime of this session');
    this.name = 'ForgedAnswer';
  }
}

export interface RuntimeTransport {
  /** One signed request, not repeated. @throws ForgedAnswer, connection errors, the signal's reason */
  call(call: RuntimeCall): Promise<RuntimeAnswer>;
  close(): void;
}

const connectWithinMs = 10_000;

/** Signed HTTP to one runtime over connections that are kept. */
export function createTransport({ host, port, secret }: RuntimeAddress): RuntimeTransport {
  const keys = deriveKeys(secret);
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });

  return {
    async call({ method, target, body, timeoutMs, signal }) {
      const nonce = randomBytes(16).toString('hex');
      const time = String(wallClockMs());
      const streamed = body !== undefined && !Buffer.isBuffer(body);
      const whole = Buffer.isBuffer(body) ? body : Buffer.alloc(0);
      const digest = streamed ? streamedDigest : sha256Hex(whole);
      const headers = {
        [signatureHeaders.nonce]: nonce,
        [signatureHeaders.time]: time,
        [signatureHeaders.digest]: digest,
        [signatureHeaders.mac]: requestMac(keys, { method, target, digest, nonce, time }),
        ...(streamed ? {} : { 'content-length': String(whole.length) }),
      };
      const request = httpRequest({ host, port, agent, method, path: target, headers, signal });
      const content = streamed ? Readable.from(sealStream(body, keys.requestStream, nonce)) : whole;
      const response = await exchange(request, content, timeoutMs);
      const status = response.statusCode ?? 0;
      const answerDigest = String(response.headers[signatureHeaders.digest] ?? '');
      const mac = response.headers[signatureHeaders.mac];
      const expected = answerMac(keys, { status, nonce, digest: answerDigest });
      if (!macMatches(typeof mac === 'string' ? mac : undefined, expected)) {
        response.destroy();
        throw new ForgedAnswer();
      }
      return {
        status,
        async bytes() {
          const received = await buffer(response);
          if (sha256Hex(received) !== answerDigest) throw new ForgedAnswer();
          return received;
        },
        stream: () => unsealStream(response, keys.answerStream, nonce),
      };
    },
    close: () => agent.destroy(),
  };
}

/** Sends the body and waits for the head of the answer, which may come before the body is through. */
async function exchange(
  request: ClientRequest,
  content: Readable | Buffer,
  timeoutMs: number,
): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const giveUp = (what: string, ms: number) =>
    setTimeout(() => request.destroy(new Error(`${what} within ${ms} ms`)), ms);
  // A machine that is gone refuses nothing: without this the system would try for minutes.
  let timer = giveUp('no connection', connectWithinMs);
  request.once('socket', (socket) => {
    const connected = () => clearTimeout(timer);
    if (socket.connecting) socket.once('connect', connected);
    else connected();
  });
  request.once('response', resolve);
  request.once('error', reject);
  request.once('finish', () => {
    clearTimeout(timer);
    timer = giveUp('no answer', timeoutMs);
  });
  if (Buffer.isBuffer(content)) request.end(content);
  // A source that fails must end the request; a request that failed is told by its own event.
  else pipeline(content, request).catch(reject);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}
