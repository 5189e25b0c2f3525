import { afterAll, beforeAll } from 'vitest';
import { createSandboxes, type Sandboxes } from './sandbox-fixture.ts';
import { describeStrangers } from './sandbox-strangers.ts';

let sandboxes: Sandboxes;
beforeAll(async () => {
  sandboxes = await createSandboxes();
});
afterAll(() => sandboxes?.clear());

describeStrangers('local driver', 'process', async () => ({
  driver: () => sandboxes.driver(),
  request: () => {
    const request = sandboxes.request();
    // Who stands beside all strangers outlives them.
    return { ...request, limits: { ...request.limits, seconds: 600 } };
  },
}));
