/** agent-runner as it ships, with one tool more that models may call: it does nothing and tells its step. */
import { configSchema } from '@swissbrain/agent-runner/config';
import { startService } from '@swissbrain/agent-runner/service';
import type { Tool } from '@swissbrain/agent-runner/tools/tool';
import { runProcess } from '@swissbrain/service-kit/process';
import { z } from 'zod';

const noop: Tool<Record<string, never>> = {
  name: 'noop',
  type: 'connector',
  description: 'Does nothing.',
  input: z.strictObject({}),
  offered: true,
  effect: 'read',
  resume: 'repeat',
  timeoutSeconds: 60,
  unavailable: () => null,
  estimate: () => [],
  run: async (_input, { stepId }) => ({ output: { step: stepId }, usage: [] }),
};

await runProcess({
  service: 'agent-runner',
  configSchema,
  start: (config) => startService(config, { extraTools: [noop] }),
});
