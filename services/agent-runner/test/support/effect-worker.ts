// agent-runner as a process, with a tool that changes something outside: started by startWorkerProcess.
import { runProcess } from '@swissbrain/service-kit/process';
import { z } from 'zod';
import { configSchema } from '../../src/config.ts';
import { startService } from '../../src/service.ts';
import type { Tool } from '../../src/tools/tool.ts';

const input = z.strictObject({ name: z.string() });
const { EFFECT_URL } = z.object({ EFFECT_URL: z.url() }).parse(process.env);

/** Tells a server of the test; nobody can ask that server whether it has been told. */
const effect: Tool<z.infer<typeof input>> = {
  name: 'effect',
  type: 'connector',
  description: 'Changes something outside',
  input,
  offered: true,
  effect: 'write',
  resume: 'unknown',
  timeoutSeconds: 30,
  unavailable: () => null,
  estimate: () => [{ operation: 'connector.call', quantity: '1' }],
  async run({ name }, { signal }) {
    const response = await fetch(new URL(name, EFFECT_URL), { method: 'POST', signal });
    return { output: await response.text(), usage: [{ operation: 'connector.call', quantity: '1' }] };
  },
};

await runProcess({
  service: 'agent-runner',
  configSchema,
  start: (config) => startService(config, { extraTools: [effect] }),
});
