import type { ArtifactView } from '@swissbrain/shared-schema/http/agent-runner';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newUser, playbookOf, type Runner, startRunner, type User } from './support/runner.ts';

let runner: Runner;
let user: User;
let artifact: ArtifactView;
const content = '<script>alert("hi")</script>';
const name = 'out/süß "x".html';

beforeAll(async () => {
  runner = await startRunner();
  user = await newUser(runner.url);
  const steps = [
    { id: 'a', tool: 'file', with: { action: 'write', path: name, content }, artifacts: [name] },
  ];
  const run = await user.create(playbookOf(steps));
  await user.ended(run.id);
  [artifact] = (await user.artifacts(run.id)) as [ArtifactView];
});
afterAll(() => runner?.stop());

const link = async () => {
  const found = (await (await user.request('GET', `/v1/artifacts/${artifact.id}`)).json()) as {
    url: string;
    url_expires_at: string;
  };
  return new URL(found.url);
};

describe('an artifact', () => {
  it('is downloaded by its link without a token, and never shown as a page of ours', async () => {
    const response = await fetch(await link());
    expect(response.status).toBe(200);
    expect(await response.text()).toBe(content);
    const header = (key: string) => response.headers.get(key);
    expect(header('content-disposition')).toBe(
      `attachment; filename="s__ _x_.html"; filename*=UTF-8''s%C3%BC%C3%9F%20%22x%22.html`,
    );
    expect(header('x-content-type-options')).toBe('nosniff');
    expect(header('content-security-policy')).toContain('sandbox');
    expect(header('etag')).toBe(`"${artifact.sha256}"`);
    expect(header('content-length')).toBe(String(artifact.size_bytes));
  });

  it('is refused to a forged, altered or expired link', async () => {
    const { signGrant } = await import('../src/storage/signed-url.ts');
    const good = await link();
    const altered = (change: (url: URL) => void) => {
      const url = new URL(good);
      change(url);
      return url;
    };
    const secret = runner.environment.STORAGE_SIGNING_SECRET ?? '';
    const expired = signGrant(secret, { resource: artifact.id, expiresAt: new Date('2020-01-01T00:00:00Z') });
    const foreign = signGrant(`${secret} not`, {
      resource: artifact.id,
      expiresAt: new Date('2099-01-01T00:00:00Z'),
    });
    const cases: [URL, number][] = [
      [altered((url) => url.searchParams.set('expires', '4102444800')), 403],
      [altered((url) => url.searchParams.set('signature', 'AAAA')), 403],
      [
        altered((url) => {
          url.pathname = url.pathname.replace(artifact.id, '5b1f9b0e-7d5c-4a53-9b27-6a1f5f0c9d10');
        }),
        403,
      ],
      [
        altered((url) => {
          url.search = expired;
        }),
        403,
      ],
      [
        altered((url) => {
          url.search = foreign;
        }),
        403,
      ],
      [altered((url) => url.searchParams.delete('signature')), 400],
      [altered((url) => url.searchParams.set('expires', 'never')), 400],
    ];
    for (const [url, status] of cases) {
      const response = await fetch(url);
      expect(response.status, url.href).toBe(status);
      expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    }
  });

  it('is another user’s as little as one that does not exist', async () => {
    const other = await newUser(runner.url);
    for (const id of [artifact.id, '5b1f9b0e-7d5c-4a53-9b27-6a1f5f0c9d10']) {
      const response = await other.request('GET', `/v1/artifacts/${id}`);
      expect(response.status).toBe(404);
      expect(await response.json()).toMatchObject({ code: 'artifact_not_found' });
    }
  });
});
