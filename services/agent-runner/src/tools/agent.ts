import { playbookSchema } from '@swissbrain/shared-schema/http/agent-runner';
import { z } from 'zod';
import type { Tool } from './tool.ts';

const agentInput = z
  .strictObject({
    goal: z
      .string()
      .min(1)
      .max(20_000)
      .optional()
      .describe('What the other agent is to reach, with all it must know'),
    playbook: playbookSchema.optional(),
    title: z.string().min(1).max(200).optional(),
    inputs: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).default({}),
  })
  .refine((input) => (input.goal === undefined) !== (input.playbook === undefined), {
    message: 'give either a goal or a playbook',
  });
type AgentInput = z.infer<typeof agentInput>;

/** Starts another run below this one and takes its result. Of the kind `llm`: rows have no kind of their own for it. */
export const agentTool: Tool<AgentInput> = {
  name: 'agent',
  type: 'llm',
  description:
    'Gives a part of the work to another agent with a sandbox of its own, and waits for its result. It knows only what ' +
    'you tell it. Use it for parts that stand on their own.',
  input: agentInput,
  offered: true,
  effect: 'write',
  resume: 'lookup',
  timeoutSeconds: 15 * 24 * 3_600,
  unavailable: () => null,
  // Its steps are priced and billed as its own.
  estimate: () => [],
  async run(input, context) {
    const child = await context.child(input);
    const output = { run_id: child.runId, status: child.status, output: child.output };
    if (child.status === 'completed') return { output, usage: [] };
    const { code, message } = child.error ?? {
      code: 'child_ended',
      message: `the other run is ${child.status}`,
    };
    return { output, usage: [], failure: { code, message } };
  },
};
