import type { IncomingMessage } from 'node:http';
import { RuntimeFault } from './faults.ts';
import { maxRequestBytes } from './protocol.ts';
import type { ReplayGuard } from './replay-guard.ts';
import { SealBroken, unsealStream } from './sealed-stream.ts';
import {
  macMatches,
  requestMac,
  type SessionKeys,
  sha256Hex,
  signatureHeaders,
  streamedDigest,
} from './signing.ts';

const noncePattern = /^[0-9a-f]{32}$/;
const timePattern = /^\d{1,15}$/;

/** A request that came from the holder of the session's secret. */
export interface AuthenticRequest {
  readonly method: string;
  readonly target: string;
  readonly nonce: string;
  /** `full`, `stale` and `replayed` are told to the caller, who is known by then. */
  readonly standing: ReturnType<ReplayGuard['admit']>;
  /** The whole body, at most 2 MiB. @throws RuntimeFault `body_too_large`, `body_altered` */
  body(): Promise<Buffer>;
  /** The body as it comes, for those that are sealed frame by frame. @throws RuntimeFault `body_altered` */
  stream(): AsyncIterable<Buffer>;
}

/** Null when the signature is missing or wrong. Nothing of the body was read by then. */
export function authenticate(
  request: IncomingMessage,
  keys: SessionKeys,
  guard: ReplayGuard,
): AuthenticRequest | null {
  const { method = '', url: target = '' } = request;
  const nonce = header(request, signatureHeaders.nonce);
  const time = header(request, signatureHeaders.time);
  const digest = header(request, signatureHeaders.digest);
  if (!noncePattern.test(nonce) || !timePattern.test(time)) return null;
  const expected = requestMac(keys, { method, target, digest, nonce, time });
  if (!macMatches(header(request, signatureHeaders.mac), expected)) return null;
  return {
    method,
    target,
    nonce,
    standing: guard.admit(nonce, Number(time)),
    body: () => readBody(request, digest),
    stream: () => openStream(request, keys, digest, nonce),
  };
}

async function readBody(request: IncomingMessage, digest: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of piecesOf(request)) {
    size += chunk.length;
    if (size > maxRequestBytes) {
      throw new RuntimeFault(413, 'body_too_large', `a body has at most ${maxRequestBytes} bytes`);
    }
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks);
  if (sha256Hex(body) !== digest) throw altered();
  return body;
}

async function* openStream(
  request: IncomingMessage,
  keys: SessionKeys,
  digest: string,
  nonce: string,
): AsyncGenerator<Buffer> {
  if (digest !== streamedDigest)
    throw new RuntimeFault(400, 'request_invalid', 'this body is sent as a stream');
  const pieces = piecesOf(request);
  try {
    yield* unsealStream(pieces, keys.requestStream, nonce);
  } catch (error) {
    throw error instanceof SealBroken ? altered() : error;
  } finally {
    await pieces.return?.();
  }
}

/** The body in pieces; who stops reading early leaves the connection open for the answer. */
function piecesOf(request: IncomingMessage): NodeJS.AsyncIterator<Buffer> {
  return request.iterator({ destroyOnReturn: false }) as NodeJS.AsyncIterator<Buffer>;
}

function altered(): RuntimeFault {
  return new RuntimeFault(400, 'body_altered', 'the body is not the one that was signed');
}

function header(request: IncomingMessage, name: string): string {
  const value = request.headers[name];
  return typeof value === 'string' ? value : '';
}
