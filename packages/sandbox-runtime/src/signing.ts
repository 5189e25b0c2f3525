import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/** Header names of signed requests and answers. */
export const signatureHeaders = {
  nonce: 'x-sandbox-nonce',
  time: 'x-sandbox-time',
  digest: 'x-sandbox-content-sha256',
  mac: 'x-sandbox-mac',
} as const;

/** Stands for the digest of a body whose bytes are sealed frame by frame (sealed-stream.ts). */
export const streamedDigest = 'stream';
/** How far the caller's clock may be off; nonces are remembered at least as long. */
export const freshnessMs = 120_000;

/** Keys of one session, one per direction and use, so that nothing signed here can be played back there. */
export interface SessionKeys {
  readonly request: Buffer;
  readonly answer: Buffer;
  readonly requestStream: Buffer;
  readonly answerStream: Buffer;
}

/** Derives the keys from the session's secret (at least 32 characters); the secret itself never travels. */
export function deriveKeys(secret: string): SessionKeys {
  if (secret.length < 32) throw new RangeError('a session secret has at least 32 characters');
  const derive = (purpose: string) =>
    createHmac('sha256', secret).update(`swissbrain sandbox ${purpose} v1`).digest();
  return {
    request: derive('request'),
    answer: derive('answer'),
    requestStream: derive('request stream'),
    answerStream: derive('answer stream'),
  };
}

/** Lower-case hex SHA-256. */
export function sha256Hex(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

export interface RequestToSign {
  readonly method: string;
  /** Path and query exactly as sent. */
  readonly target: string;
  readonly digest: string;
  readonly nonce: string;
  /** Milliseconds since the epoch, in decimal. */
  readonly time: string;
}

/** HMAC-SHA256 over everything the runtime acts on. No field can hold a line break. */
export function requestMac(keys: SessionKeys, request: RequestToSign): string {
  const text = [request.method, request.target, request.digest, request.nonce, request.time].join('\n');
  return createHmac('sha256', keys.request).update(text).digest('hex');
}

/** Binds an answer to the request of this nonce. */
export function answerMac(
  keys: SessionKeys,
  answer: { readonly status: number; readonly nonce: string; readonly digest: string },
): string {
  const text = [answer.status, answer.nonce, answer.digest].join('\n');
  return createHmac('sha256', keys.answer).update(text).digest('hex');
}

/** Compares in constant time. */
export function macMatches(given: string | undefined, expected: string): boolean {
  if (given === undefined) return false;
  const left = Buffer.from(given);
  const right = Buffer.from(expected);
  return left.length === right.length && timingSafeEqual(left, right);
}
