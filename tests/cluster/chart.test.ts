import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { serviceNames } from '@swissbrain/shared-schema/ids';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Values } from '../../scripts/dev-values.ts';
import { apply, kubectl, kubectlWith } from './cluster.ts';
import { chart, helm } from './release.ts';

/** The least that an installation says. */
const least: Values = {
  database: { host: 'postgres.stores' },
  nats: { url: 'nats://nats.stores:4222' },
  storage: { bucket: 'artifacts' },
  secrets: { existingSecret: 'swissbrain' },
};
const render = (values: Values, ...more: readonly string[]) =>
  helm(['template', 'swissbrain', chart, '--values', '-', '--kube-version', '1.34.0', ...more], values);

describe('the chart', () => {
  it('passes a strict lint with the values of development and the least of production', async () => {
    await helm(['lint', '--strict', chart, '--values', join(chart, 'values-dev.yaml')]);
    await helm(['lint', '--strict', chart, '--values', '-'], least);
  });

  it.each<[string, Values, string]>([
    ['a key that is not there', { replicas: 3 }, "additional properties 'replicas' not allowed"],
    [
      'a service that is not there',
      { services: { billing: {} } },
      "additional properties 'billing' not allowed",
    ],
    [
      'a misspelt key of a service',
      { services: { credits: { replica: 3 } } },
      "additional properties 'replica' not allowed",
    ],
    ['a number as text', { database: { port: '5432' } }, 'got string, want integer'],
    ['a port that is none', { database: { port: 70_000 } }, '70,000'],
    [
      'a password in the address of NATS',
      { nats: { url: 'nats://user:password@nats:4222' } },
      'does not match pattern',
    ],
    [
      'a variable that is none',
      { services: { credits: { env: { 'my variable': 'x' } } } },
      "'my variable' does not match pattern",
    ],
    [
      'an unknown way of scaling',
      { serviceDefaults: { autoscaling: { by: 'memory' } } },
      'value must be one of',
    ],
    [
      'no sandbox namespace for most tiers',
      { sandbox: { namespaces: { default: null } } },
      "missing property 'default'",
    ],
    [
      'isolation without a RuntimeClass',
      { sandbox: { requireIsolation: true } },
      'sandbox.runtimeClassName is empty',
    ],
    [
      'two sources of secrets',
      { secrets: { externalSecret: { enabled: true } } },
      'found: secrets.existingSecret, secrets.externalSecret.enabled',
    ],
    [
      'no source of secrets',
      { secrets: { existingSecret: '' } },
      'found: none.\nThe Secret has these keys: auth-jwt-secret',
    ],
    [
      'secrets that lack a key',
      { secrets: { existingSecret: '', values: { 'redis-url': 'redis://x' } } },
      'secrets.values lacks: auth-jwt-secret',
    ],
    ['no database', { database: { host: '' } }, 'database.host: the host of Postgres is needed'],
    [
      'a route without a Gateway',
      { httpRoute: { enabled: true } },
      'httpRoute.parentRefs: the Gateway that serves the route is needed',
    ],
    ['no bucket', { storage: { bucket: '' } }, 'storage.bucket: the bucket of artifacts is needed'],
    [
      'scaling by lag without the address to ask',
      { services: { credits: { autoscaling: { by: 'lag' } } } },
      'natsMonitoring: host:8222 of NATS is needed',
    ],
  ])('refuses %s and says why', async (_what, values, words) => {
    const given = Object.fromEntries(
      [...new Set([...Object.keys(least), ...Object.keys(values)])].map((key) => [
        key,
        { ...(least[key] as Values), ...(values[key] as Values) },
      ]),
    );
    await expect(render('replicas' in values ? { ...least, ...values } : given)).rejects.toThrow(words);
  });
});

describe('egress of sandboxes', () => {
  const nameservers = ['9.9.9.9', '2620:fe::fe'];

  it('is closed, and agent-runner asks for none, until the values open it', async () => {
    const rendered = await render(least);
    expect(rendered).toContain('name: SANDBOX_IMAGE');
    expect(rendered).not.toMatch(/SANDBOX_EGRESS|SANDBOX_NAMESERVERS|to-the-internet/);
  });

  it('opens to the internet and to its name servers, and agent-runner asks for it', async () => {
    const rendered = await render({ ...least, sandbox: { internet: { enabled: true, nameservers } } });
    expect(rendered).toContain('{ name: SANDBOX_EGRESS, value: internet }');
    expect(rendered).toContain(`{ name: SANDBOX_NAMESERVERS, value: "${nameservers.join(',')}" }`);
    const [, policy = ''] = /name: to-the-internet\n(.*?)\n---/s.exec(rendered) ?? [];
    expect(policy).toContain('swissbrain.dev/egress: internet');
    for (const closed of ['10.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.168.0.0/16'])
      expect(policy).toContain(`- ${closed}`);
    for (const open of ['cidr: 9.9.9.9/32', 'cidr: 2620:fe::fe/128', 'port: 53'])
      expect(policy).toContain(open);
  });
});

describe('an example', () => {
  const namespace = 'chart-test';
  const namespaces = [namespace, `${namespace}-swissbrain-sandbox-default`];
  beforeAll(async () => {
    // A dry run wants the namespaces of what it is shown.
    for (const name of namespaces) await apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  });
  afterAll(() => kubectl('delete', 'namespace', ...namespaces, '--wait=false'));
  const example = (name: string) => join(chart, 'examples', `${name}.yaml`);

  it.each([
    [['production', 'cloudnative-pg', 'nats', 'valkey', 'minio']],
    [['production', 'supabase', 'nats', 'valkey']],
  ])('of %j is what the API server takes', async (names) => {
    const files = names.flatMap((name) => ['--values', example(name)]);
    const options = ['--namespace', namespace, '--kube-version', '1.34.0', ...files];
    const rendered = await helm(['template', 'swissbrain', chart, ...options]);
    const printed = await kubectlWith(rendered, 'apply', '--dry-run=server', '-f', '-');
    for (const service of serviceNames)
      expect(printed).toContain(`deployment.apps/swissbrain-${service} created (server dry run)`);
    expect(printed).toContain('job.batch/swissbrain-set-up');
  });

  it('of Valkey is what the API server takes', async () => {
    const manifest = (await readFile(example('stores/valkey'), 'utf8')).replaceAll(
      'swissbrain-stores',
      namespace,
    );
    const printed = await kubectlWith(manifest, 'apply', '--dry-run=server', '-f', '-');
    expect(printed).toContain('statefulset.apps/valkey created (server dry run)');
  });
});

describe('an installation that cannot work', () => {
  const namespace = 'chart-refusals';
  beforeAll(async () => {
    await apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
    const metadata = { name: 'swissbrain', namespace };
    await apply({ apiVersion: 'v1', kind: 'Secret', metadata, stringData: { 'redis-url': 'redis://x' } });
  });
  afterAll(() => kubectl('delete', 'namespace', namespace, '--wait=false'));
  const install = (...more: readonly string[]) =>
    helm(
      ['install', 'swissbrain', chart, '-n', namespace, '--dry-run=server', '--values', '-', ...more],
      least,
    );

  it('is told which keys its Secret lacks', async () => {
    await expect(install()).rejects.toThrow(
      /The Secret swissbrain in namespace chart-refusals lacks: auth-jwt-secret, database-admin-password, /,
    );
  });

  it('is told that the cluster has no such RuntimeClass', async () => {
    const another = ['--set', 'secrets.existingSecret=another'];
    await expect(install(...another, '--set', 'sandbox.runtimeClassName=nowhere')).rejects.toThrow(
      'the cluster has no such RuntimeClass',
    );
    await install(...another);
  });
});
