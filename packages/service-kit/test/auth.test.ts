import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createVerifier } from '@swissbrain/service-kit/auth';
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const secretText = 'a secret of this test, more than 32 bytes';
const secret = new TextEncoder().encode(secretText);
const sub = '3B241101-E2BB-4255-8CAF-4136C566A962';
const refused = { status: 401, code: 'unauthorized' };

function hs256(claims: Record<string, unknown> = {}, key: Uint8Array = secret): Promise<string> {
  return new SignJWT({ sub, ...claims })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(key);
}

describe('a secret', () => {
  const verify = createVerifier({
    AUTH_JWT_SECRET: secretText,
    AUTH_ISSUER: undefined,
    AUTH_AUDIENCE: undefined,
    AUTH_JWKS_URL: undefined,
  });

  it('gives user, tenant and scopes, whatever place they come in', async () => {
    const tenant_id = '11111111-e2bb-4255-8caf-4136c566a962';
    const token = await hs256({
      scope: 'runs:read runs:write',
      app_metadata: { tenant_id, scopes: ['admin', 'runs:read'] },
    });
    expect(await verify(token)).toMatchObject({
      userId: sub.toLowerCase(),
      tenantId: tenant_id,
      scopes: ['runs:read', 'runs:write', 'admin'],
      claims: { sub: sub.toLowerCase(), scope: 'runs:read runs:write' },
    });
  });
  it('wants an expiry', async () => {
    const eternal = await new SignJWT({ sub }).setProtectedHeader({ alg: 'HS256' }).sign(secret);
    await expect(verify(eternal)).rejects.toMatchObject(refused);
  });
  it('wants HS256', async () => {
    const other = await new SignJWT({ sub })
      .setProtectedHeader({ alg: 'HS512' })
      .setExpirationTime('1h')
      .sign(new Uint8Array(64));
    await expect(verify(other)).rejects.toMatchObject(refused);
  });
  it('checks issuer and audience where they are set', async () => {
    const strict = createVerifier({
      AUTH_JWT_SECRET: secretText,
      AUTH_ISSUER: 'us',
      AUTH_AUDIENCE: 'api',
      AUTH_JWKS_URL: undefined,
    });
    await expect(strict(await hs256({ iss: 'them', aud: 'api' }))).rejects.toMatchObject(refused);
    await expect(strict(await hs256({ iss: 'us', aud: 'web' }))).rejects.toMatchObject(refused);
    await expect(strict(await hs256({ iss: 'us', aud: 'api' }))).resolves.toBeDefined();
  });
});

describe('a key set', () => {
  let server: Server;
  let url = '';
  let rs256: (key?: CryptoKey) => Promise<string>;
  let publicPem = '';

  beforeAll(async () => {
    const pair = await generateKeyPair('RS256', { extractable: true });
    const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'one', alg: 'RS256', use: 'sig' };
    publicPem = await exportSPKI(pair.publicKey);
    rs256 = (key = pair.privateKey) =>
      new SignJWT({ sub }).setProtectedHeader({ alg: 'RS256', kid: 'one' }).setExpirationTime('1h').sign(key);
    server = createServer((_request, response) => response.end(JSON.stringify({ keys: [jwk] })));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
  });
  afterAll(() => new Promise((resolve) => server.close(resolve)));

  const of = (secretToo = false) =>
    createVerifier({
      AUTH_JWKS_URL: url,
      AUTH_JWT_SECRET: secretToo ? secretText : undefined,
      AUTH_ISSUER: undefined,
      AUTH_AUDIENCE: undefined,
    });

  it('verifies its own signatures and no other', async () => {
    expect((await of()(await rs256())).userId).toBe(sub.toLowerCase());
    const { privateKey } = await generateKeyPair('RS256');
    await expect(of()(await rs256(privateKey))).rejects.toMatchObject(refused);
  });
  it('never serves as a secret: the public key must not sign', async () => {
    const confused = await hs256({}, new TextEncoder().encode(publicPem));
    await expect(of()(confused)).rejects.toMatchObject(refused);
    await expect(of(true)(confused)).rejects.toMatchObject(refused);
  });
  it('stands beside a secret', async () => {
    const both = of(true);
    expect((await both(await rs256())).userId).toBe((await both(await hs256())).userId);
  });
  it('that cannot be fetched is not the fault of the token', async () => {
    const away = createVerifier({
      AUTH_JWKS_URL: 'http://127.0.0.1:1/keys',
      AUTH_JWT_SECRET: undefined,
      AUTH_ISSUER: undefined,
      AUTH_AUDIENCE: undefined,
    });
    await expect(away(await rs256())).rejects.toMatchObject({
      status: 503,
      code: 'auth_unavailable',
      retry: 'later',
    });
  });
});
