import { jsonText } from '@swissbrain/service-kit/config-json';
import { agentMode } from '@swissbrain/shared-schema/http/agent-runner';
import { z } from 'zod';

/** What may stand in for the ratio of a cached token's price to that of a fresh one, in percent. */
const percent = z.number().int().min(0).max(1_000);

const model = z.strictObject({
  /** `openai-compatible` is any server with OpenAI's chat completions: Ollama, vLLM, LiteLLM. */
  provider: z.enum(['openai', 'anthropic', 'openai-compatible']),
  /** As the provider calls it; the key of this entry where it is left out. */
  model: z.string().min(1).max(200).optional(),
  base_url: z.url().optional(),
  api_key: z.string().min(1).optional(),
  /** What prompt and answer may be together; older parts of a conversation give way before it is full. */
  context_tokens: z.number().int().min(2_000).max(10_000_000).optional(),
  max_output_tokens: z.number().int().min(1).max(1_000_000).optional(),
  timeout_seconds: z.number().int().min(1).max(3_600).optional(),
  temperature: z.number().min(0).max(2).optional(),
  /** The <model> of its prices `llm.<model>.input` and `.output`; a model without a price has the default's. */
  price_as: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,79}$/)
    .optional(),
  /** What a token read from the provider's cache counts, as a share of a fresh one. */
  cached_input_percent: percent.optional(),
  /** What a token written into the provider's cache counts. */
  cache_write_percent: percent.optional(),
  stream: z.boolean().optional(),
  /** False for a compatible server that takes no JSON Schema for its answer: it is asked for any JSON then. */
  structured_outputs: z.boolean().optional(),
});
export type ModelEntry = z.infer<typeof model>;

/** What a mode may differ in from its file. */
const modeOverride = z.strictObject({
  models: z.array(z.string()).min(1).max(10).optional(),
  max_steps: z.number().int().min(1).max(10_000).optional(),
  max_seconds: z.number().int().min(1).max(604_800).optional(),
  max_parallel_tools: z.number().int().min(1).max(64).optional(),
  max_output_tokens: z.number().int().min(1).max(1_000_000).optional(),
});
export type ModeOverride = z.infer<typeof modeOverride>;

/** The models of an installation: which there are, and for each mode which to ask, in order of preference. */
export const modelConfig = z
  .strictObject({
    models: z.record(z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'a short name in lower case'), model),
    /** For modes that name none; the first is asked, the others stand in. */
    default: z.array(z.string()).min(1).max(10),
    modes: z.partialRecord(agentMode, modeOverride).default({}),
  })
  .superRefine((config, context) => {
    const known = Object.keys(config.models);
    const check = (names: readonly string[], path: (string | number)[]) => {
      for (const [place, name] of names.entries()) {
        if (known.includes(name)) continue;
        context.addIssue({ code: 'custom', path: [...path, place], message: 'is not among "models"' });
      }
    };
    check(config.default, ['default']);
    for (const [mode, { models = [] }] of Object.entries(config.modes))
      check(models, ['modes', mode, 'models']);
    for (const [name, entry] of Object.entries(config.models)) {
      if (entry.provider !== 'openai-compatible' || entry.base_url) continue;
      context.addIssue({ code: 'custom', path: ['models', name, 'base_url'], message: 'is required' });
    }
  });
export type ModelConfig = z.infer<typeof modelConfig>;

/** Reads the models from JSON text; every problem has its place, none a value. */
export const modelConfigText = jsonText(modelConfig);
