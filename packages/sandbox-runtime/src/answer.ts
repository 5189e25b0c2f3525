import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { sealStream } from './sealed-stream.ts';
import { answerMac, type SessionKeys, sha256Hex, signatureHeaders, streamedDigest } from './signing.ts';

/** What a route answers with. */
export type Answer =
  | { readonly status: number; readonly json: unknown }
  | { readonly status: number; readonly bytes: Buffer }
  | { readonly status: number; readonly stream: AsyncIterable<Uint8Array> };

/** Sends an authentic answer to the request of this nonce. */
export async function sendAnswer(
  response: ServerResponse,
  keys: SessionKeys,
  nonce: string,
  answer: Answer,
): Promise<void> {
  if ('stream' in answer) return sendStream(response, keys, nonce, answer.status, answer.stream);
  const body = 'json' in answer ? Buffer.from(JSON.stringify(answer.json)) : answer.bytes;
  const type = 'json' in answer ? 'application/json' : 'application/octet-stream';
  writeHead(response, keys, nonce, answer.status, sha256Hex(body), {
    'content-type': type,
    'content-length': String(body.length),
  });
  response.end(body);
}

/** Tells a stranger nothing but that it was refused, unsigned, and drops the connection. */
export function refuseStranger(response: ServerResponse): void {
  response.writeHead(401, { connection: 'close', 'content-length': '0' });
  response.end();
}

async function sendStream(
  response: ServerResponse,
  keys: SessionKeys,
  nonce: string,
  status: number,
  source: AsyncIterable<Uint8Array>,
): Promise<void> {
  writeHead(response, keys, nonce, status, streamedDigest, { 'content-type': 'application/octet-stream' });
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  try {
    for await (const frame of sealStream(source, keys.answerStream, nonce)) {
      if (response.destroyed) return;
      if (!response.write(frame)) await once(response, 'drain', { signal: gone.signal });
    }
    response.end();
  } catch (error) {
    // The end frame is missing, so the reader knows that this is not the whole.
    response.destroy();
    if (!gone.signal.aborted) throw error;
  }
}

function writeHead(
  response: ServerResponse,
  keys: SessionKeys,
  nonce: string,
  status: number,
  digest: string,
  headers: Readonly<Record<string, string>>,
): void {
  response.writeHead(status, {
    ...headers,
    [signatureHeaders.digest]: digest,
    [signatureHeaders.mac]: answerMac(keys, { status, nonce, digest }),
  });
}
