// agent-runner as a process, with tools that change something outside: started by startWorkerProcess.
import { once } from 'node:events';
import { runProcess } from '@swissbrain/service-kit/process';
import { z } from 'zod';
import { configSchema } from '../../src/config.ts';
import { startService } from '../../src/service.ts';
import type { Tool } from '../../src/tools/tool.ts';

const input = z.strictObject({ name: z.string() });
const { EFFECT_URL, WAIT_FOR_WORD } = z
  .object({ EFFECT_URL: z.url(), WAIT_FOR_WORD: z.string().optional() })
  .parse(process.env);
const usage = [{ operation: 'connector.call', quantity: '1' }];

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
  estimate: () => usage,
  async run({ name }, { signal, stepId }) {
    const response = await fetch(new URL(name, EFFECT_URL), {
      method: 'POST',
      headers: { 'idempotency-key': stepId },
      signal,
    });
    const output = await response.text();
    if (response.ok) return { output, usage };
    return { output, usage, failure: { code: 'refused', message: output } };
  },
};
/** The same, of what cannot be taken back. */
const wipe: typeof effect = { ...effect, name: 'wipe', effect: 'destructive' };
/** The same server knows calls by their key, so that they may come again. */
const keyed: typeof effect = { ...effect, name: 'keyed', resume: 'repeat' };

// Started ahead of time it has read its program and nothing else until it is told to begin.
if (WAIT_FOR_WORD !== undefined) await once(process.stdin, 'data');
await runProcess({
  service: 'agent-runner',
  configSchema,
  start: (config) => startService(config, { extraTools: [effect, wipe, keyed] as Tool[] }),
});
