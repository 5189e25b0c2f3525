import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import type { LanguageModel } from 'ai';
import type { Config } from '../config.ts';
import { type TokenPrice, worstCaseOfCall } from '../domain/model-tokens.ts';
import type { Usage } from '../domain/usage.ts';
import type { ModelConfig, ModelEntry, ModeOverride } from './model-config.ts';

/** One model that can be asked. */
export interface Model extends TokenPrice {
  /** As the configuration calls it. */
  readonly key: string;
  /** As the provider calls it. */
  readonly name: string;
  readonly provider: ModelEntry['provider'];
  readonly model: LanguageModel;
  /** Where it is asked, for traces. */
  readonly server: ModelAddress;
  /** Prompt and answer together. */
  readonly contextTokens: number;
  readonly maxOutputTokens: number;
  readonly timeoutMs: number;
  readonly temperature: number | undefined;
  readonly stream: boolean;
}

/** Host and port of a model server. */
export interface ModelAddress {
  readonly host: string;
  readonly port: number;
}

/** How calls that fail are made again. */
export interface RetrySettings {
  /** Beside the first try, for each model. */
  readonly retries: number;
  /** Before the first repetition, about; it doubles. */
  readonly waitMs: number;
  /** A provider that wants a longer pause than this counts as failed. */
  readonly longestWaitMs: number;
}

/** The models of this installation. */
export interface Models {
  /** The models to ask in a mode: the first, and in order those that stand in for it. */
  forMode(mode: string): readonly Model[];
  /** What the configuration changes of a mode. */
  override(mode: string): ModeOverride;
  readonly retry: RetrySettings;
}

/** The models, or why there are none and what to set. */
export type ModelChoice = { readonly models: Models } | { readonly reason: string };

const howTo =
  'set MODEL_NAME together with MODEL_BASE_URL (any OpenAI-compatible server; MODEL_API_KEY where it wants one), ' +
  'OPENAI_API_KEY or ANTHROPIC_API_KEY, or describe several models in MODEL_CONFIG';

/** What a cached token counts where the configuration does not say: never less than the provider charges. */
const cachePercents: Readonly<Record<ModelEntry['provider'], readonly [read: number, write: number]>> = {
  anthropic: [10, 125],
  openai: [50, 100],
  'openai-compatible': [100, 100],
};
const defaultContextTokens: Readonly<Record<ModelEntry['provider'], number>> = {
  anthropic: 200_000,
  openai: 128_000,
  'openai-compatible': 32_000,
};

/** The configuration of a single model in variables of its own, as the one of several. */
function single(config: Config): ModelConfig | undefined {
  const { MODEL_NAME: name, MODEL_BASE_URL: baseUrl } = config;
  const { OPENAI_API_KEY: openaiKey, ANTHROPIC_API_KEY: anthropicKey } = config;
  if (!name || !(baseUrl || openaiKey || anthropicKey)) return undefined;
  const hosted = anthropicKey && (!openaiKey || name.startsWith('claude')) ? 'anthropic' : 'openai';
  const provider = baseUrl ? 'openai-compatible' : hosted;
  const contextTokens = config.MODEL_CONTEXT_TOKENS;
  return {
    models: {
      model: {
        ...{ provider, model: name },
        ...(baseUrl ? { base_url: baseUrl } : {}),
        ...(contextTokens ? { context_tokens: contextTokens } : {}),
      },
    },
    default: ['model'],
    modes: {},
  };
}

const defaultHosts = { openai: 'api.openai.com', anthropic: 'api.anthropic.com', 'openai-compatible': '' };

function addressOf({ provider, base_url: given }: ModelEntry, config: Config): ModelAddress {
  const hosted = provider === 'anthropic' ? config.ANTHROPIC_BASE_URL : config.OPENAI_BASE_URL;
  const { protocol, hostname, port } = new URL(given ?? hosted ?? `https://${defaultHosts[provider]}`);
  return { host: hostname, port: Number(port) || (protocol === 'http:' ? 80 : 443) };
}

function connect(entry: ModelEntry, name: string, config: Config): LanguageModel {
  const { provider, base_url: given } = entry;
  if (provider === 'openai-compatible') {
    const apiKey = entry.api_key ?? config.MODEL_API_KEY;
    const connection = {
      ...{ name: provider, baseURL: given ?? '', includeUsage: true },
      supportsStructuredOutputs: entry.structured_outputs ?? true,
    };
    return createOpenAICompatible({ ...connection, ...(apiKey ? { apiKey } : {}) })(name);
  }
  const hosted =
    provider === 'anthropic'
      ? { key: config.ANTHROPIC_API_KEY, url: config.ANTHROPIC_BASE_URL }
      : { key: config.OPENAI_API_KEY, url: config.OPENAI_BASE_URL };
  const apiKey = entry.api_key ?? hosted.key;
  const baseURL = given ?? hosted.url;
  const connection = { ...(apiKey ? { apiKey } : {}), ...(baseURL ? { baseURL } : {}) };
  return provider === 'anthropic' ? createAnthropic(connection)(name) : createOpenAI(connection).chat(name);
}

function toModel(key: string, entry: ModelEntry, config: Config): Model {
  const { provider, model: name = key } = entry;
  const [cachedInputPercent, cacheWritePercent] = cachePercents[provider];
  return {
    ...{ key, name, provider, model: connect(entry, name, config), server: addressOf(entry, config) },
    contextTokens: entry.context_tokens ?? defaultContextTokens[provider],
    maxOutputTokens: entry.max_output_tokens ?? config.MODEL_MAX_OUTPUT_TOKENS,
    timeoutMs: (entry.timeout_seconds ?? config.MODEL_TIMEOUT_SECONDS) * 1_000,
    temperature: entry.temperature,
    stream: entry.stream ?? true,
    priceAs: entry.price_as ?? name.slice(0, 80),
    cachedInputPercent: entry.cached_input_percent ?? cachedInputPercent,
    cacheWritePercent: entry.cache_write_percent ?? cacheWritePercent,
  };
}

/** How calls of any model are made again here. */
export function retrySettings(
  config: Pick<Config, 'MODEL_RETRIES' | 'MODEL_RETRY_MS' | 'MODEL_RETRY_LONGEST_SECONDS'>,
): RetrySettings {
  return {
    retries: config.MODEL_RETRIES,
    waitMs: config.MODEL_RETRY_MS,
    longestWaitMs: config.MODEL_RETRY_LONGEST_SECONDS * 1_000,
  };
}

/** Puts the models of the configuration together; `MODEL_CONFIG` wins over the variables for a single one. */
export function chooseModels(config: Config): ModelChoice {
  const described = config.MODEL_CONFIG ?? single(config);
  if (!described) return { reason: `no model is configured: ${howTo}` };
  const byKey = new Map(
    Object.entries(described.models).map(([key, entry]) => [key, toModel(key, entry, config)]),
  );
  const resolve = (keys: readonly string[]) => keys.flatMap((key) => byKey.get(key) ?? []);
  const override = (mode: string) => new Map(Object.entries(described.modes)).get(mode) ?? {};
  return {
    models: {
      forMode: (mode) => resolve(override(mode).models ?? described.default),
      override,
      retry: retrySettings(config),
    },
  };
}

/** The most a call may use, for each model that may answer it. */
export function worstCases(
  models: readonly Model[],
  promptBytes: number,
  maxOutputTokens = Number.POSITIVE_INFINITY,
): readonly (readonly Usage[])[] {
  return models.map((model) =>
    worstCaseOfCall(model, promptBytes, Math.min(maxOutputTokens, model.maxOutputTokens)),
  );
}
