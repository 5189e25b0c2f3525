import type { Clock } from '@swissbrain/service-kit/clock';
import { jsonSchema, Output } from 'ai';
import { z } from 'zod';
import { askModel } from '../agent/ask-model.ts';
import { type ModelChoice, type Models, worstCases } from '../agent/models.ts';
import { answerProblem, schemaProblem } from '../domain/answer-schema.ts';
import { usageOfTokens } from '../domain/model-tokens.ts';
import type { Tool, ToolContext, ToolResult } from './tool.ts';

/** The call's own time limits end it first. */
const graceSeconds = 10;

const llmInput = z.strictObject({
  prompt: z
    .string()
    .min(1)
    .max(1024 * 1024),
  system: z.string().min(1).max(100_000).optional(),
  temperature: z.number().min(0).max(2).optional(),
  max_output_tokens: z.number().int().min(1).max(200_000).optional(),
  schema: z
    .record(z.string(), z.unknown())
    .superRefine((schema, context) => {
      const problem = schema.type === 'object' ? schemaProblem(schema) : 'its type is "object"';
      if (problem !== null) context.addIssue({ code: 'custom', message: problem });
    })
    .optional()
    .describe('JSON Schema of an object; the answer then follows it and is output.object'),
});
type LlmInput = z.infer<typeof llmInput>;

/** The models that answer steps of playbooks. */
const mode = 'playbook';

/** The schema for the provider, and the check of what it lets through: not all of them follow it. */
function outputOf(schema: Readonly<Record<string, unknown>>) {
  return Output.object({
    schema: jsonSchema<unknown>(schema, {
      validate: (value) => {
        const problem = answerProblem(schema, value);
        return problem === null ? { success: true, value } : { success: false, error: new Error(problem) };
      },
    }),
  });
}

async function ask(models: Models, input: LlmInput, context: ToolContext, clock: Clock): Promise<ToolResult> {
  const outcome = await askModel({
    models: models.forMode(mode),
    retry: models.retry,
    instructions: input.system ?? '',
    messages: [{ role: 'user', content: input.prompt }],
    ...(input.temperature === undefined ? {} : { temperature: input.temperature }),
    ...(input.max_output_tokens === undefined ? {} : { maxOutputTokens: input.max_output_tokens }),
    ...(input.schema ? { output: outputOf(input.schema) } : {}),
    ...{ runId: context.runId, signal: context.signal, log: context.log, clock },
  });
  if (outcome.kind === 'failure') {
    const { code, message } = outcome.failure;
    return { output: null, usage: [], failure: { code, message } };
  }
  const { text, object, finishReason, model, tokens } = outcome;
  const said = { text, ...(input.schema ? { object } : {}) };
  return {
    output: { ...said, finish_reason: finishReason, model: model.name, tokens },
    usage: usageOfTokens(model, tokens),
  };
}

const textOf = (value: unknown) => (typeof value === 'string' ? value : '');

/** The longest that asking can take, with every repetition and every model that stands in. */
function longestSeconds({ forMode, retry }: Models): number {
  const pauses = retry.retries * retry.longestWaitMs;
  const each = forMode(mode).map(({ timeoutMs }) => timeoutMs * (retry.retries + 1) + pauses);
  return each.reduce((sum, next) => sum + next, 0) / 1_000;
}

/** Asks the configured model once; another answers where it cannot. */
export function createLlmTool(choice: ModelChoice, clock: Clock): Tool<LlmInput> {
  return {
    name: 'llm',
    type: 'llm',
    description: 'Asks the configured language model; the answer is output.text.',
    input: llmInput,
    offered: false,
    effect: 'read',
    resume: 'repeat',
    timeoutSeconds: ('reason' in choice ? 0 : longestSeconds(choice.models)) + graceSeconds,
    unavailable: () => ('reason' in choice ? choice.reason : null),
    estimate(input) {
      if ('reason' in choice) return [];
      const limit = typeof input.max_output_tokens === 'number' ? input.max_output_tokens : undefined;
      const schema = input.schema === undefined ? '' : JSON.stringify(input.schema);
      const bytes = Buffer.byteLength(textOf(input.prompt) + textOf(input.system) + schema);
      // Nobody knows yet which of them will answer; models of one price are one.
      const cases = worstCases(choice.models.forMode(mode), bytes, limit);
      return [...new Map(cases.map((lines) => [lines[0]?.operation, lines])).values()].flat();
    },
    run(input, context) {
      if ('reason' in choice) throw new Error('the llm tool runs only where a model is configured');
      return ask(choice.models, input, context, clock);
    },
  };
}
