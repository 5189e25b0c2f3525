import { createHmac, timingSafeEqual } from 'node:crypto';

/** What the holder of a signed URL may do: fetch one resource until a moment, as a file of this name and type. */
export interface SignedGrant {
  /** The id or key that the route serves. */
  readonly resource: string;
  /** The first moment at which it no longer works; whole seconds, a fraction is cut off. */
  readonly expiresAt: Date;
  readonly filename?: string;
  readonly contentType?: string;
}

export type VerifiedGrant =
  | { readonly ok: true; readonly grant: SignedGrant }
  | { readonly ok: false; readonly reason: 'invalid' | 'expired' };

/** The query of a signed URL; values are not yet encoded. Leave out what is undefined. */
export interface SignedQuery {
  readonly expires?: string | undefined;
  readonly filename?: string | undefined;
  readonly type?: string | undefined;
  readonly signature?: string | undefined;
}

const secretLength = 32;

/**
 * The encoded query (without `?`) that makes a URL of this resource work.
 * @param secret at least 32 characters, known to the replicas of the service only
 */
export function signGrant(secret: string, grant: SignedGrant): string {
  const expires = String(Math.floor(grant.expiresAt.getTime() / 1000));
  const query = new URLSearchParams({ expires });
  if (grant.filename !== undefined) query.set('filename', grant.filename);
  if (grant.contentType !== undefined) query.set('type', grant.contentType);
  query.set('signature', signatureOf(secret, grant.resource, expires, grant.filename, grant.contentType));
  return query.toString();
}

/** Checks the query that came with a request for `resource`. The signature is judged before the time. */
export function verifyGrant(secret: string, resource: string, query: SignedQuery, now: Date): VerifiedGrant {
  const { expires = '', filename, type, signature = '' } = query;
  const expected = Buffer.from(signatureOf(secret, resource, expires, filename, type));
  const given = Buffer.from(signature);
  const authentic = given.length === expected.length && timingSafeEqual(given, expected);
  if (!authentic || !/^\d{1,12}$/.test(expires)) return { ok: false, reason: 'invalid' };
  const expiresAt = new Date(Number(expires) * 1000);
  if (now.getTime() >= expiresAt.getTime()) return { ok: false, reason: 'expired' };
  return { ok: true, grant: { resource, expiresAt, filename, contentType: type } };
}

/** HMAC-SHA256 in base64url. The fields go in as JSON, in which no two lists look the same. */
function signatureOf(
  secret: string,
  resource: string,
  expires: string,
  filename: string | undefined,
  contentType: string | undefined,
): string {
  if (secret.length < secretLength)
    throw new RangeError(`the secret has at least ${secretLength} characters`);
  const fields = ['swissbrain url v1', resource, expires, filename ?? null, contentType ?? null];
  return createHmac('sha256', secret).update(JSON.stringify(fields)).digest('base64url');
}
