import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StackState } from '@swissbrain/local-stack/state';
import { serviceNames } from '@swissbrain/shared-schema/ids';
import { jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mintDevelopmentToken } from './development-token.ts';
import { developmentUser } from './development-user.ts';

const user = '0195d3a4-5d7e-7c31-9f39-0c2a7d4f4a11';
const secret = 'a development secret of more than 32 bytes';

function stackAt(host: string): StackState {
  const services = Object.fromEntries(
    serviceNames.map((name) => [name, { url: `http://${host}:4000`, pid: 1 }]),
  );
  return {
    supervisor: { pid: 1, started: 'now' },
    data_dir: '',
    postgres_url: '',
    nats_url: '',
    redis_url: '',
    jwt_secret: secret,
    servers: {},
    services: services as StackState['services'],
  };
}

describe('mintDevelopmentToken', () => {
  it('makes a token that the services accept', async () => {
    const token = await mintDevelopmentToken(stackAt('127.0.0.1'), user, { issuer: 'here', expiresIn: '5m' });
    const { payload } = await jwtVerify(token, new TextEncoder().encode(secret), {
      audience: 'authenticated',
      issuer: 'here',
    });
    expect(payload).toMatchObject({ sub: user, role: 'authenticated' });
    // Both are read off the clock in whole seconds, one after the other.
    expect([300, 301]).toContain((payload.exp ?? 0) - (payload.iat ?? 0));
  });

  it('carries scopes when asked, and none otherwise', async () => {
    const claims = async (scope?: string) => {
      const token = await mintDevelopmentToken(stackAt('127.0.0.1'), user, { scope });
      return (await jwtVerify(token, new TextEncoder().encode(secret))).payload;
    };
    expect(await claims('operator')).toMatchObject({ scope: 'operator' });
    expect(await claims()).not.toHaveProperty('scope');
  });

  it('refuses a stack on another machine', async () => {
    await expect(mintDevelopmentToken(stackAt('swissbrain.example'), user)).rejects.toThrow(
      'for the local stack only',
    );
  });
});

describe('developmentUser', () => {
  let directory = '';
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'swissbrain-user-'));
  });
  afterAll(() => rm(directory, { recursive: true }));

  it('draws a user once and keeps it, readable by its owner alone', async () => {
    const dataDir = join(directory, 'new');
    const first = await developmentUser(dataDir);
    expect(await developmentUser(dataDir)).toBe(first);
    const file = join(dataDir, 'development-user.json');
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ user_id: first });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it('does not guess when the file is damaged', async () => {
    await writeFile(join(directory, 'development-user.json'), '{"user_id":"me"}');
    await expect(developmentUser(directory)).rejects.toThrow('has no user_id');
  });
});
