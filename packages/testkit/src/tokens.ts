import { randomUUID } from 'node:crypto';
import { SignJWT } from 'jose';

/** The HS256 secret of services in tests. */
export const testSecret = 'a secret for tests only, of more than 32 bytes';

export interface TokenOptions {
  /** The user; a new one when absent. `null` leaves the claim out. */
  readonly sub?: string | null;
  /** As jose reads it: '1h', '-1m'. */
  readonly expiresIn?: string;
  readonly secret?: string;
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** Mints an access token as an identity provider would. */
export async function mintToken(options: TokenOptions = {}): Promise<string> {
  const { sub = randomUUID(), expiresIn = '1h', secret = testSecret, claims = {} } = options;
  const token = new SignJWT({ role: 'authenticated', ...claims })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setIssuedAt()
    .setExpirationTime(expiresIn);
  if (sub !== null) token.setSubject(sub);
  return token.sign(new TextEncoder().encode(secret));
}
