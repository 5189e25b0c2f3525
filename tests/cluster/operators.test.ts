import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Values } from '../../scripts/dev-values.ts';
import { apply, kubectl, kubectlWith } from './cluster.ts';
import { chart, helm } from './release.ts';

const namespace = 'operators-test';
const definitions = join(import.meta.dirname, 'crds');

/** The least of an installation, with everything that other operators see to. */
const values: Values = {
  database: { host: 'postgres.stores' },
  nats: { url: 'nats://nats.stores:4222' },
  storage: { bucket: 'artifacts' },
  secrets: {
    externalSecret: { enabled: true, remoteKey: 'swissbrain', storeRef: { name: 'vault' } },
  },
  serviceDefaults: { autoscaling: { natsMonitoring: 'nats.stores:8222' } },
  services: Object.fromEntries(
    ['agent-runner', 'credits'].map((service) => [service, { autoscaling: { by: 'lag' } }]),
  ),
  httpRoute: {
    enabled: true,
    host: 'swissbrain.example',
    parentRefs: [{ name: 'gateway', namespace: 'gateways' }],
  },
  monitoring: { podMonitor: true, rules: true, dashboard: true },
};

const manifest = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }),
  spec: z.looseObject({}).optional(),
});
type Manifest = z.infer<typeof manifest>;

/** What the chart renders for operators, as objects. */
async function rendered(): Promise<Manifest[]> {
  const words = ['template', 'swissbrain', chart, '--namespace', namespace, '--kube-version', '1.34.0'];
  const yaml = await helm([...words, '--values', '-'], values);
  const foreign = yaml
    .split(/^---$/m)
    .filter((one) =>
      /^apiVersion: .*(keda\.sh|gateway\.networking|external-secrets\.io|monitoring\.coreos)/m.test(one),
    )
    .join('---');
  return objects(foreign);
}

/** Manifests in YAML as objects. The API server is not asked what it thinks of them. */
async function objects(yaml: string): Promise<Manifest[]> {
  const words = ['create', '--dry-run=client', '--validate=false', '-o', 'json', '-f', '-'];
  // One document after the other.
  return (await kubectlWith(yaml, ...words))
    .trim()
    .split(/\n(?=\{)/)
    .map((one) => manifest.parse(JSON.parse(one)));
}

/** @throws with what the API server says to it */
const shownTo = (object: unknown) =>
  kubectlWith(JSON.stringify(object), 'apply', '--dry-run=server', '--validate=strict', '-f', '-');

describe('what the chart has for other operators', () => {
  const made: string[] = [];
  beforeAll(async () => {
    await apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
    const there = (await kubectl('get', 'crds', '-o', 'name')).split('\n');
    for (const file of await readdir(definitions)) {
      const name = file.replace(/\.yaml$/, '');
      // A cluster may have the operator: then its own definition is asked, and stays.
      if (there.includes(`customresourcedefinition.apiextensions.k8s.io/${name}`)) continue;
      await kubectlWith(await readFile(join(definitions, file), 'utf8'), 'create', '-f', '-');
      made.push(name);
    }
    await kubectl('wait', 'crd', ...made, '--for=condition=Established', '--timeout=60s');
  });
  afterAll(async () => {
    await kubectl('delete', 'namespace', namespace, '--wait=false');
    if (made.length > 0) await kubectl('delete', 'crd', ...made, '--wait=false');
  });

  it('is what their definitions take, and with a field that is not theirs it is not', async () => {
    const all = await rendered();
    expect(all.map(({ kind }) => kind).sort()).toEqual([
      'ExternalSecret',
      'HTTPRoute',
      'PodMonitor',
      'PrometheusRule',
      'ScaledObject',
      'ScaledObject',
    ]);
    for (const object of all) {
      expect(await shownTo(object), object.kind).toContain('created (server dry run)');
      const misspelt = { ...object, spec: { ...object.spec, replicaCuont: 3 } };
      await expect(shownTo(misspelt), object.kind).rejects.toThrow('unknown field "spec.replicaCuont"');
    }
  });

  it('has the cluster of CloudNativePG as its definition takes it', async () => {
    const file = join(chart, 'examples/stores/cloudnative-pg.yaml');
    for (const object of await objects(await readFile(file, 'utf8'))) {
      const here = { ...object, metadata: { ...object.metadata, namespace } };
      expect(await shownTo(here)).toContain('created (server dry run)');
    }
  });
});
