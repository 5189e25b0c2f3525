import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import type { Clock } from '@swissbrain/service-kit/clock';
import type { Logger } from '@swissbrain/service-kit/logger';
import { annotateSpan, inSpan } from '@swissbrain/service-kit/trace-context';
import { type EmbeddingModel, embed } from 'ai';
import type { Config } from '../config.ts';
import { callWithRetries } from './model-retries.ts';
import { retrySettings } from './models.ts';

/** What a text means, as a vector of length 1. */
export interface TextEmbedding {
  readonly vector: readonly number[];
  readonly model: string;
}

/** The model that says what texts mean. */
export interface Embedder {
  /** Cosine from which on two texts count as related. */
  readonly atLeast: number;
  /** Null when there is no answer: memory is then searched by words alone. */
  embed(text: string, signal: AbortSignal): Promise<TextEmbedding | null>;
}

type EmbeddingConfig = Pick<
  Config,
  | 'EMBEDDING_MODEL'
  | 'EMBEDDING_BASE_URL'
  | 'EMBEDDING_API_KEY'
  | 'EMBEDDING_TIMEOUT_SECONDS'
  | 'EMBEDDING_MIN_SIMILARITY'
  | 'OPENAI_API_KEY'
  | 'OPENAI_BASE_URL'
> &
  Parameters<typeof retrySettings>[0];

const maxDimensions = 4_096;
const longestPauseMs = 2_000;

function connect(config: EmbeddingConfig, name: string): EmbeddingModel | null {
  const { EMBEDDING_BASE_URL: baseURL, EMBEDDING_API_KEY: own } = config;
  if (baseURL) {
    const connection = { name: 'embedding', baseURL, ...(own ? { apiKey: own } : {}) };
    return createOpenAICompatible(connection).embeddingModel(name);
  }
  const apiKey = own ?? config.OPENAI_API_KEY;
  const url = config.OPENAI_BASE_URL;
  return apiKey ? createOpenAI({ apiKey, ...(url ? { baseURL: url } : {}) }).embedding(name) : null;
}

/** The vector in its direction with length 1, so that a product is a cosine; null for what has no direction. */
function normalized(vector: readonly number[]): readonly number[] | null {
  const length = Math.hypot(...vector);
  if (!Number.isFinite(length) || length === 0 || vector.length > maxDimensions) return null;
  return vector.map((value) => value / length);
}

/** The configured model for embeddings; null when there is none. */
export function chooseEmbedder(config: EmbeddingConfig, clock: Clock, log: Logger): Embedder | null {
  const { EMBEDDING_MODEL: name } = config;
  const model = name ? connect(config, name) : null;
  if (!name || !model) return null;
  // Someone waits for the answer: words alone, soon, are better than meaning late.
  const retry = {
    ...retrySettings(config),
    retries: Math.min(config.MODEL_RETRIES, 1),
    longestWaitMs: longestPauseMs,
  };
  const timeoutMs = config.EMBEDDING_TIMEOUT_SECONDS * 1_000;
  const attributes = {
    'gen_ai.operation.name': 'embeddings',
    'gen_ai.provider.name': config.EMBEDDING_BASE_URL ? 'openai-compatible' : 'openai',
    'gen_ai.request.model': name,
  };
  return {
    atLeast: config.EMBEDDING_MIN_SIMILARITY,
    async embed(text, signal) {
      const called = await callWithRetries({ ...{ name, timeoutMs, retry }, signal, clock, log }, (within) =>
        inSpan(`embeddings ${name}`, 'client', undefined, attributes, async () => {
          const answer = await embed({ model, value: text, maxRetries: 0, abortSignal: within });
          annotateSpan({
            'gen_ai.usage.input_tokens': answer.usage.tokens,
            'gen_ai.embeddings.dimension.count': answer.embedding.length,
          });
          return answer;
        }),
      );
      const vector = called.kind === 'answer' ? normalized(called.value.embedding) : null;
      if (!vector) {
        log.warn({ model: name }, 'a text could not be embedded; memory does without');
        return null;
      }
      return { vector, model: `${name.slice(0, 150)}/${vector.length}` };
    },
  };
}
