import { z } from 'zod';
import { answerProblem, schemaProblem } from '../domain/answer-schema.ts';
import type { Tool, ToolResult } from './tool.ts';

const longestSeconds = 14 * 24 * 3_600;

const humanInput = z
  .strictObject({
    action: z
      .enum(['ask', 'approve'])
      .default('ask')
      .describe('`approve` asks for a yes or no; after a no the step fails'),
    question: z.string().min(1).max(4_000),
    choices: z.array(z.string().min(1).max(500)).min(1).max(50).optional(),
    answer_schema: z.record(z.string(), z.json()).optional().describe('JSON Schema of the answer'),
    default: z
      .json()
      .optional()
      .describe('Taken when nobody answers in time; without it the step fails then'),
    timeout_seconds: z.number().int().min(1).max(longestSeconds).optional(),
  })
  .superRefine((input, check) => {
    const complain = (path: string, message: string) =>
      check.addIssue({ code: 'custom', path: [path], message });
    if (input.action === 'approve') {
      for (const name of ['choices', 'answer_schema', 'default'] as const) {
        if (input[name] !== undefined)
          complain(name, 'an approval has no such thing: only the user approves');
      }
      return;
    }
    if (input.choices && input.answer_schema) complain('answer_schema', 'give either choices or a schema');
    if (input.choices && input.default !== undefined && !input.choices.some((one) => one === input.default)) {
      complain('default', 'the default is one of the choices');
    }
    if (!input.answer_schema) return;
    const problem = schemaProblem(input.answer_schema);
    if (problem !== null) complain('answer_schema', problem);
    else if (input.default !== undefined && answerProblem(input.answer_schema, input.default) !== null) {
      complain('default', 'the default does not fit answer_schema');
    }
  });
type HumanInput = z.infer<typeof humanInput>;

const failed = (code: string, message: string): ToolResult => ({
  output: null,
  usage: [],
  failure: { code, message },
});

/** Asks the run's user. The run holds neither a worker nor a sandbox while it waits. */
export const humanTool: Tool<HumanInput> = {
  name: 'human',
  type: 'human',
  description:
    'Asks the user who started this run and waits for the answer, which may take days: a question, with choices or a ' +
    'schema where they help, or the approval of something you describe. Ask only what you cannot find out yourself.',
  input: humanInput,
  offered: true,
  effect: 'read',
  resume: 'lookup',
  timeoutSeconds: longestSeconds + 24 * 3_600,
  unavailable: () => null,
  estimate: () => [],
  async run(input, context) {
    const approves = input.action === 'approve';
    const answered = await context.ask({
      prompt: input.question,
      choices: approves ? ['approve', 'deny'] : input.choices,
      answerSchema: input.answer_schema,
      defaultAnswer: input.default,
      ...(input.timeout_seconds === undefined ? {} : { timeoutMs: input.timeout_seconds * 1_000 }),
    });
    if (answered.by === 'nobody') return failed('question_timed_out', 'nobody answered in time');
    if (approves && answered.answer !== 'approve') return failed('approval_denied', 'the user said no');
    const output = approves ? { approved: true } : { answer: answered.answer, by: answered.by };
    return { output, usage: [] };
  },
};
