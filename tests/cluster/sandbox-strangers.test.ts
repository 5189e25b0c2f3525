import { afterAll, beforeAll } from 'vitest';
import { describeStrangers } from '../../services/agent-runner/test/sandbox-strangers.ts';
import { type ClusterSandboxes, createClusterSandboxes } from './cluster.ts';

let sandboxes: ClusterSandboxes;
beforeAll(async () => {
  sandboxes = await createClusterSandboxes();
});
afterAll(() => sandboxes?.clear());

describeStrangers('Kubernetes driver', 'container', async () => ({
  driver: () => sandboxes.driver(),
  request: () => {
    const request = sandboxes.request();
    // Who stands beside all strangers outlives them.
    return { ...request, limits: { ...request.limits, seconds: 600 } };
  },
}));
