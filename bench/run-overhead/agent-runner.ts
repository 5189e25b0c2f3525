/** agent-runner as it ships, with one tool more: a step that does nothing but costs what a connector call costs. */
import { configSchema } from '@swissbrain/agent-runner/config';
import { startService } from '@swissbrain/agent-runner/service';
import type { Tool } from '@swissbrain/agent-runner/tools/tool';
import { runProcess } from '@swissbrain/service-kit/process';
import { operations } from '@swissbrain/shared-schema/operations';
import { z } from 'zod';

const usage = [{ operation: operations.connectorCall, quantity: '1' }] as const;
const noop: Tool<Record<string, never>> = {
  name: 'noop',
  type: 'connector',
  description: 'Does nothing.',
  input: z.strictObject({}),
  offered: false,
  effect: 'read',
  resume: 'repeat',
  timeoutSeconds: 60,
  unavailable: () => null,
  estimate: () => usage,
  run: async () => ({ output: null, usage }),
};

await runProcess({
  service: 'agent-runner',
  configSchema,
  start: (config) => startService(config, { extraTools: [noop] }),
});
