import { afterAll, beforeAll } from 'vitest';
import { describeSandboxDriver } from '../../services/agent-runner/test/sandbox-contract.ts';
import { type ClusterSandboxes, createClusterSandboxes, imageOf } from './cluster.ts';

let sandboxes: ClusterSandboxes;
beforeAll(async () => {
  sandboxes = await createClusterSandboxes();
});
afterAll(() => sandboxes?.clear());

describeSandboxDriver('Kubernetes driver', async () => ({
  driver: () => sandboxes.driver({ image: imageOf('sandbox-node') }),
  request: () => sandboxes.request(),
}));
