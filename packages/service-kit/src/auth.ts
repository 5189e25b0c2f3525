import { uuid } from '@swissbrain/shared-schema/ids';
import { createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyOptions, jwtVerify } from 'jose';
import { z } from 'zod';
import type { BaseConfig } from './config.ts';
import type { Principal } from './database.ts';
import { kitErrors } from './errors.ts';

/** Checks a bearer token and says whose it is. */
export type Verifier = (token: string) => Promise<Principal>;
type AuthConfig = Pick<BaseConfig, 'AUTH_JWT_SECRET' | 'AUTH_JWKS_URL' | 'AUTH_ISSUER' | 'AUTH_AUDIENCE'>;

/** Signatures of key sets. Symmetric ones are not among them: a public key must never serve as a secret. */
const asymmetric = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];
const clockToleranceSeconds = 5;

/** Supabase-compatible claims; others pass through for policies to read. */
const claimsSchema = z.looseObject({
  sub: uuid,
  scope: z.string().optional(),
  tenant_id: uuid.nullish(),
  app_metadata: z
    .looseObject({ tenant_id: uuid.nullish(), scopes: z.array(z.string()).optional() })
    .optional(),
});

/**
 * A verifier of the configured kind: an HS256 secret, a remote key set, or both, told apart by the algorithm.
 * @throws AppError 401 `unauthorized` from the verifier for a token that is not good, without saying more than
 *   its holder may know; 503 `auth_unavailable` when the key set cannot be fetched
 */
export function createVerifier(config: AuthConfig): Verifier {
  const common: JWTVerifyOptions = {
    clockTolerance: clockToleranceSeconds,
    requiredClaims: ['sub', 'exp'],
    ...(config.AUTH_ISSUER ? { issuer: config.AUTH_ISSUER } : {}),
    ...(config.AUTH_AUDIENCE ? { audience: config.AUTH_AUDIENCE } : {}),
  };
  const secret = config.AUTH_JWT_SECRET ? new TextEncoder().encode(config.AUTH_JWT_SECRET) : undefined;
  const keySet = config.AUTH_JWKS_URL ? createRemoteJWKSet(new URL(config.AUTH_JWKS_URL)) : undefined;

  const verify = async (token: string): Promise<JWTPayload> => {
    if (keySet && (!secret || !isSymmetric(token))) {
      return (await jwtVerify(token, keySet, { ...common, algorithms: asymmetric })).payload;
    }
    if (secret) return (await jwtVerify(token, secret, { ...common, algorithms: ['HS256'] })).payload;
    throw kitErrors.auth_unavailable('no way to verify tokens is configured');
  };
  return async (token) => {
    const payload = await verify(token).catch(refuse);
    const claims = claimsSchema.safeParse(payload);
    if (!claims.success) throw kitErrors.unauthorized('the token does not name a user');
    const { sub, scope, tenant_id, app_metadata } = claims.data;
    return {
      userId: sub,
      tenantId: tenant_id ?? app_metadata?.tenant_id ?? null,
      scopes: [...new Set([...(scope?.split(' ') ?? []), ...(app_metadata?.scopes ?? [])])].filter(Boolean),
      // Policies compare `sub` with uuids as Postgres prints them.
      claims: { ...payload, sub },
    };
  };
}

/** Only chooses which key to try; the verification itself admits the algorithms of that key alone. */
function isSymmetric(token: string): boolean {
  try {
    const header: unknown = JSON.parse(
      Buffer.from(token.split('.', 1)[0] ?? '', 'base64url').toString('utf8'),
    );
    return z.object({ alg: z.string().startsWith('HS') }).safeParse(header).success;
  } catch {
    return false;
  }
}

function refuse(thrown: unknown): never {
  if (thrown instanceof errors.JWTExpired) throw kitErrors.unauthorized('the token has expired');
  if (thrown instanceof errors.JWKSTimeout || !(thrown instanceof errors.JOSEError)) {
    throw kitErrors.auth_unavailable('the keys that verify tokens could not be fetched');
  }
  throw kitErrors.unauthorized('the token is not valid');
}
