import type { ModelConfig } from './model-config.ts';

/** The settings that say which models there are and how they are reached. */
export interface ModelSettings {
  readonly MODEL_CONFIG?: ModelConfig | undefined;
  readonly MODEL_NAME?: string | undefined;
  readonly MODEL_BASE_URL?: string | undefined;
  readonly OPENAI_API_KEY?: string | undefined;
  readonly ANTHROPIC_API_KEY?: string | undefined;
  readonly IMAGE_MODEL?: string | undefined;
  readonly IMAGE_BASE_URL?: string | undefined;
  readonly IMAGE_API_KEY?: string | undefined;
  readonly EMBEDDING_MODEL?: string | undefined;
  readonly EMBEDDING_BASE_URL?: string | undefined;
  readonly EMBEDDING_API_KEY?: string | undefined;
  readonly RUN_MAX_SECONDS: number;
}

/** A problem with the place it is at; never with a value. */
export interface ModelProblem {
  readonly path: readonly string[];
  readonly message: string;
}

const hostedKeys = { openai: 'OPENAI_API_KEY', anthropic: 'ANTHROPIC_API_KEY' } as const;

function problemsOfSeveral(described: ModelConfig, settings: ModelSettings): ModelProblem[] {
  const withoutKey = Object.entries(described.models).flatMap(([name, { provider, api_key: own }]) => {
    const key = provider === 'openai-compatible' ? undefined : hostedKeys[provider];
    if (!key || own || settings[key]) return [];
    const message = `${provider} is asked with a key: give it here, or set ${key}`;
    return [{ path: ['MODEL_CONFIG', 'models', name, 'api_key'], message }];
  });
  const tooLong = Object.entries(described.modes).flatMap(([mode, { max_seconds: seconds = 0 }]) =>
    seconds <= settings.RUN_MAX_SECONDS
      ? []
      : [
          {
            path: ['MODEL_CONFIG', 'modes', mode, 'max_seconds'],
            message: `no run lasts longer than RUN_MAX_SECONDS, which is ${settings.RUN_MAX_SECONDS}: raise that, too`,
          },
        ],
  );
  return [...withoutKey, ...tooLong];
}

function problemsOfOne(settings: ModelSettings): ModelProblem[] {
  const {
    MODEL_NAME: name,
    MODEL_BASE_URL: url,
    OPENAI_API_KEY: openai,
    ANTHROPIC_API_KEY: anthropic,
  } = settings;
  if (!name || url || anthropic) return [];
  if (name.startsWith('claude')) {
    return [
      {
        path: ['ANTHROPIC_API_KEY'],
        message: 'MODEL_NAME is a model of Anthropic, which is asked with a key',
      },
    ];
  }
  if (openai) return [];
  const message =
    'a model needs MODEL_BASE_URL (any OpenAI-compatible server), OPENAI_API_KEY or ANTHROPIC_API_KEY';
  return [{ path: ['MODEL_NAME'], message }];
}

/** What is missing for the models that are configured: the service does not start with one that it cannot ask. */
export function modelProblems(settings: ModelSettings): ModelProblem[] {
  const { MODEL_CONFIG: described, OPENAI_API_KEY: openai } = settings;
  const problems = described ? problemsOfSeveral(described, settings) : problemsOfOne(settings);
  for (const kind of ['IMAGE', 'EMBEDDING'] as const) {
    if (!settings[`${kind}_MODEL`] || settings[`${kind}_BASE_URL`] || settings[`${kind}_API_KEY`] || openai)
      continue;
    const message = `a model of OpenAI is asked with a key: set ${kind}_API_KEY or OPENAI_API_KEY, or ${kind}_BASE_URL for another server`;
    problems.push({ path: [`${kind}_MODEL`], message });
  }
  return problems;
}
