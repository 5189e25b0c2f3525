import { generateText } from 'ai';
import { z } from 'zod';
import {
  describeModelFailure,
  estimateCall,
  type Model,
  type ModelChoice,
  usageOfCall,
} from '../agent/models.ts';
import type { Tool, ToolContext, ToolResult } from './tool.ts';

/** The call's own time limit ends it first. */
const graceSeconds = 10;

const llmInput = z.strictObject({
  prompt: z
    .string()
    .min(1)
    .max(1024 * 1024),
  system: z.string().min(1).max(100_000).optional(),
  temperature: z.number().min(0).max(2).optional(),
  max_output_tokens: z.number().int().min(1).max(200_000).optional(),
});
type LlmInput = z.infer<typeof llmInput>;

async function ask(model: Model, input: LlmInput, context: ToolContext): Promise<ToolResult> {
  const timeout = AbortSignal.timeout(model.timeoutMs);
  try {
    const answer = await generateText({
      model: model.model,
      prompt: input.prompt,
      ...(input.system === undefined ? {} : { instructions: input.system }),
      ...(input.temperature === undefined ? {} : { temperature: input.temperature }),
      maxOutputTokens: input.max_output_tokens ?? model.maxOutputTokens,
      maxRetries: 2,
      abortSignal: AbortSignal.any([context.signal, timeout]),
    });
    return {
      output: { text: answer.text, finish_reason: answer.finishReason, model: model.name },
      usage: usageOfCall(model, answer.totalUsage),
    };
  } catch (error) {
    context.signal.throwIfAborted();
    const failure = timeout.aborted
      ? {
          code: 'model_timeout',
          message: `the model did not answer within ${model.timeoutMs / 1_000} seconds`,
        }
      : describeModelFailure(error);
    return { output: null, usage: [], failure };
  }
}

const textOf = (value: unknown) => (typeof value === 'string' ? value : '');

/** Asks the configured model once. */
export function createLlmTool(choice: ModelChoice): Tool<LlmInput> {
  return {
    name: 'llm',
    type: 'llm',
    description: 'Asks the configured language model; the answer is output.text.',
    input: llmInput,
    offered: false,
    effect: 'read',
    resume: 'repeat',
    timeoutSeconds: 'reason' in choice ? 1 : Math.ceil(choice.model.timeoutMs / 1_000) + graceSeconds,
    unavailable: () => ('reason' in choice ? choice.reason : null),
    estimate(input) {
      if ('reason' in choice) return [];
      const { model } = choice;
      const limit =
        typeof input.max_output_tokens === 'number' ? input.max_output_tokens : model.maxOutputTokens;
      const bytes = Buffer.byteLength(textOf(input.prompt) + textOf(input.system));
      return estimateCall({ ...model, maxOutputTokens: limit }, bytes);
    },
    run(input, context) {
      if ('reason' in choice) throw new Error('the llm tool runs only where a model is configured');
      return ask(choice.model, input, context);
    },
  };
}
