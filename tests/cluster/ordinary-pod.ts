import { randomUUID } from 'node:crypto';
import { apply, imageOf, kubectl } from './cluster.ts';

/** A pod like any other, which shows that what a sandbox cannot reach is there. */
export interface OrdinaryPod {
  /** Runs a program of JavaScript there; resolves to what it prints. */
  run(code: string): Promise<string>;
  remove(): Promise<void>;
}

/** Starts one in the namespace `default` and waits until it is ready. */
export async function startOrdinaryPod(): Promise<OrdinaryPod> {
  const name = `ordinary-${randomUUID().slice(0, 8)}`;
  const command = ['/usr/local/bin/node', '-e', 'setInterval(() => {}, 1000)'];
  await apply({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: {
      containers: [{ name: 'node', image: imageOf('sandbox-node'), command }],
      restartPolicy: 'Never',
    },
  });
  await kubectl('-n', 'default', 'wait', `pod/${name}`, '--for=condition=Ready', '--timeout=120s');
  return {
    run: async (code) => {
      const words = ['/usr/local/bin/node', '--input-type=module', '-e', code];
      return (await kubectl('-n', 'default', 'exec', name, '--', ...words)).trim();
    },
    remove: async () => {
      await kubectl('-n', 'default', 'delete', 'pod', name, '--wait=false', '--ignore-not-found');
    },
  };
}
