import { describe, expect, it } from 'vitest';
import { poolOf, sessionJob, sessionJobName, sessionSecret, warmJob } from './kubernetes-job.ts';
import { type KubernetesSettings, nameserverList, namespacesByTier } from './kubernetes-settings.ts';

const settings: KubernetesSettings = {
  secret: 'the secret of the service, which no object may hold',
  namespaces: new Map([
    ['default', 'sandboxes'],
    ['pro', 'sandboxes-pro'],
  ]),
  image: 'docker.io/swissbrain/sandbox-node:1',
  imagePullPolicy: 'IfNotPresent',
  instance: 'here',
  runtimeClass: undefined,
  hostUsers: true,
  egress: 'none',
  nameservers: [],
  startSeconds: 60,
  idleSeconds: 600,
  lifetimeSeconds: 3_600,
  warmSessions: 0,
};
const request = {
  runId: '6b9f7a52-26a8-4b2e-9d62-3c1f2a1b0c9d',
  sessionNo: 3,
  limits: { tier: 'free', cpuMillis: 500, memoryMb: 256, diskMb: 100, seconds: 60 },
};
const podOf = (overrides: Partial<KubernetesSettings> = {}) =>
  sessionJob({ ...settings, ...overrides }, request).spec?.template.spec;

describe('the Job of a session', () => {
  it('is named by run and number, and lies in the namespace of its tier', () => {
    const job = sessionJob(settings, request);
    expect(job.metadata).toMatchObject({ name: `sb-${request.runId}-3`, namespace: 'sandboxes' });
    const pro = sessionJob(settings, { ...request, limits: { ...request.limits, tier: 'pro' } });
    expect(pro.metadata?.namespace).toBe('sandboxes-pro');
    expect(job.spec).toMatchObject({ backoffLimit: 0 });
  });

  it.each([
    ['../x', 1],
    [request.runId.toUpperCase(), 1],
    [request.runId, 0],
    [request.runId, 1.5],
  ])('is refused for the run %j and the number %d', (runId, sessionNo) => {
    expect(() => sessionJobName(runId, sessionNo)).toThrow('named by a run id');
  });

  it('gives its secret to the runtime alone, and by name', () => {
    const job = sessionJob(settings, request);
    expect(JSON.stringify(job)).not.toContain(settings.secret);
    const [runtime, code] = job.spec?.template.spec?.containers ?? [];
    const holders = runtime?.env?.filter((variable) => variable.valueFrom);
    expect(holders).toEqual([
      { name: 'SANDBOX_SECRET', valueFrom: { secretKeyRef: { name: job.metadata?.name, key: 'secret' } } },
    ]);
    expect(code?.env?.some((variable) => variable.valueFrom || variable.name === 'SANDBOX_SECRET')).toBe(
      false,
    );
  });

  it('keeps what one container holds from the other', () => {
    const [runtime, code] = podOf()?.containers ?? [];
    expect(runtime?.volumeMounts?.map((mount) => mount.mountPath)).toEqual(['/run/sandbox', '/state']);
    expect(code?.volumeMounts).not.toContainEqual(expect.objectContaining({ name: 'state' }));
    expect(code?.volumeMounts).toContainEqual({ name: 'link', mountPath: '/run/sandbox', readOnly: true });
    expect(runtime?.securityContext?.runAsUser).not.toBe(code?.securityContext?.runAsUser);
  });

  it('takes cpu, memory and disk from the tier', () => {
    const code = podOf()?.containers[1];
    expect(code?.resources?.limits).toMatchObject({ cpu: '500m', memory: '448Mi' });
    expect(podOf()?.volumes).toContainEqual({ name: 'workspace', emptyDir: { sizeLimit: '164Mi' } });
  });

  it('names a RuntimeClass and asks for a user namespace only where it is told to', () => {
    expect(podOf()).not.toHaveProperty('runtimeClassName');
    expect(podOf()).not.toHaveProperty('hostUsers');
    expect(podOf({ runtimeClass: 'gvisor', hostUsers: false })).toMatchObject({
      runtimeClassName: 'gvisor',
      hostUsers: false,
    });
  });
});

describe('egress', () => {
  const jobWith = (overrides: Partial<KubernetesSettings>) =>
    sessionJob({ ...settings, ...overrides }, request).spec?.template;
  const nameservers = ['9.9.9.9'];

  it('is asked for by a label, and only then are names looked up', () => {
    expect(jobWith({ nameservers })?.metadata?.labels).not.toHaveProperty('swissbrain.dev/egress');
    expect(jobWith({ nameservers })?.spec?.dnsConfig).toEqual({ nameservers: ['127.0.0.1'] });
    const open = jobWith({ egress: 'internet', nameservers });
    expect(open?.metadata?.labels).toMatchObject({ 'swissbrain.dev/egress': 'internet' });
    expect(open?.spec?.dnsConfig).toEqual({ nameservers });
    expect(jobWith({ egress: 'internet' })?.spec?.dnsConfig).toEqual({ nameservers: ['127.0.0.1'] });
  });

  it('has name servers by address, at most as many as a pod takes', () => {
    expect(nameserverList.parse('1.1.1.1,2606:4700:4700::1111')).toEqual(['1.1.1.1', '2606:4700:4700::1111']);
    expect(nameserverList.parse('')).toEqual([]);
    for (const text of ['dns.example', '1.1.1.1,1.0.0.1,8.8.8.8,8.8.4.4'])
      expect(nameserverList.safeParse(text).success).toBe(false);
  });
});

describe('the Secret of a session', () => {
  it('goes with its Job', () => {
    const secret = sessionSecret({ metadata: { name: 'sb-x', namespace: 'n', uid: 'u' } }, 's3cret');
    expect(secret.metadata?.ownerReferences).toEqual([
      { apiVersion: 'batch/v1', kind: 'Job', name: 'sb-x', uid: 'u' },
    ]);
    expect(secret.stringData).toEqual({ secret: 's3cret' });
  });
});

describe('namespaces by tier', () => {
  it('are read from pairs, one of which is for all other tiers', () => {
    expect([...namespacesByTier.parse('default=a, pro=b-2')]).toEqual([
      ['default', 'a'],
      ['pro', 'b-2'],
    ]);
    expect(namespacesByTier.safeParse('pro=b').error?.issues[0]?.message).toContain('default=<namespace>');
    expect(namespacesByTier.safeParse('default=A_B').error?.issues[0]?.message).toContain('default=A_B');
  });
});

describe('the Job of a warm session', () => {
  const warm = warmJob(settings, 'sb-warm-1', request.limits);

  it("has the pod of a session with these limits, and is no run's", () => {
    const spec = (job: typeof warm) =>
      JSON.stringify(job.spec?.template.spec).replaceAll(job.metadata?.name ?? '', 'x');
    expect(spec(warm)).toBe(spec(sessionJob(settings, request)));
    expect(warm.metadata?.labels).toMatchObject({ 'swissbrain.dev/warm': 'idle' });
    expect(warm.metadata?.labels).not.toHaveProperty('swissbrain.dev/run');
  });

  it('is in the pool of those that are like it in everything', () => {
    const pool = poolOf(settings, request.limits);
    expect(poolOf({ ...settings, image: 'docker.io/swissbrain/sandbox-node:2' }, request.limits)).not.toBe(
      pool,
    );
    expect(poolOf(settings, { ...request.limits, memoryMb: 512 })).not.toBe(pool);
    expect(poolOf(settings, { ...request.limits, tier: 'pro' })).not.toBe(pool);
    expect(poolOf({ ...settings, egress: 'internet' }, request.limits)).not.toBe(pool);
    expect(poolOf({ ...settings, warmSessions: 5 }, request.limits)).toBe(pool);
  });
});
