import type { StackState } from '@swissbrain/local-stack/state';
import { SignJWT } from 'jose';
import { CliError } from './cli-error.ts';

const loopback: ReadonlySet<string> = new Set(['127.0.0.1', 'localhost', '[::1]']);

export interface TokenClaims {
  /** A span as jose reads it: `1h`, `30m`. */
  readonly expiresIn?: string | undefined;
  /** Scopes, separated by spaces. */
  readonly scope?: string | undefined;
  /** What AUTH_ISSUER and AUTH_AUDIENCE make the services expect. */
  readonly issuer?: string | undefined;
  readonly audience?: string | undefined;
}

/**
 * A token for a user of the local stack, as its login would issue one: Supabase-compatible claims, HS256.
 * @throws CliError when the stack is anything but local: real users get their tokens from their login
 */
export async function mintDevelopmentToken(
  stack: StackState,
  userId: string,
  claims: TokenClaims = {},
): Promise<string> {
  const foreign = Object.values(stack.services).find(
    (service) => !loopback.has(new URL(service.url).hostname),
  );
  if (foreign) {
    throw new CliError(
      `development tokens are for the local stack only, and ${foreign.url} is not on this machine`,
    );
  }
  const token = new SignJWT({ role: 'authenticated', ...(claims.scope ? { scope: claims.scope } : {}) })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject(userId)
    .setAudience(claims.audience || 'authenticated')
    .setIssuedAt()
    .setExpirationTime(claims.expiresIn ?? '1h');
  if (claims.issuer) token.setIssuer(claims.issuer);
  return token.sign(new TextEncoder().encode(stack.jwt_secret));
}
