import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import type { Clock } from '@swissbrain/service-kit/clock';
import { inSpan } from '@swissbrain/service-kit/trace-context';
import { generateImage, type ImageModel } from 'ai';
import { callWithRetries } from '../agent/model-retries.ts';
import { retrySettings } from '../agent/models.ts';
import type { Config } from '../config.ts';
import { type Picture, pictureOf } from './picture.ts';
import type { ToolContext } from './tool.ts';

/** Pictures, or why there are none. */
export type Drawn =
  | { readonly pictures: readonly Picture[] }
  | { readonly failure: { readonly code: string; readonly message: string } };

/** The model that makes pictures here. */
export interface ImageMaker {
  readonly name: string;
  /** The longest that `draw` can take, with every repetition. */
  readonly longestSeconds: number;
  draw(
    request: { readonly prompt: string; readonly count: number; readonly size?: string | undefined },
    context: Pick<ToolContext, 'signal' | 'log'>,
  ): Promise<Drawn>;
}

type ImageConfig = Pick<
  Config,
  | 'IMAGE_MODEL'
  | 'IMAGE_BASE_URL'
  | 'IMAGE_API_KEY'
  | 'IMAGE_TIMEOUT_SECONDS'
  | 'OPENAI_API_KEY'
  | 'OPENAI_BASE_URL'
> &
  Parameters<typeof retrySettings>[0];

function connect(config: ImageConfig, name: string): ImageModel | null {
  const { IMAGE_BASE_URL: baseURL, IMAGE_API_KEY: own } = config;
  if (baseURL) {
    return createOpenAICompatible({ name: 'image', baseURL, ...(own ? { apiKey: own } : {}) }).imageModel(
      name,
    );
  }
  const apiKey = own ?? config.OPENAI_API_KEY;
  const url = config.OPENAI_BASE_URL;
  return apiKey ? createOpenAI({ apiKey, ...(url ? { baseURL: url } : {}) }).image(name) : null;
}

/** The configured model for pictures; null when there is none. */
export function chooseImageMaker(config: ImageConfig, clock: Clock): ImageMaker | null {
  const { IMAGE_MODEL: name } = config;
  const model = name ? connect(config, name) : null;
  if (!name || !model) return null;
  const retry = retrySettings(config);
  const timeoutMs = config.IMAGE_TIMEOUT_SECONDS * 1_000;
  const attributes = {
    'gen_ai.operation.name': 'generate_content',
    'gen_ai.output.type': 'image',
    'gen_ai.provider.name': config.IMAGE_BASE_URL ? 'openai-compatible' : 'openai',
    'gen_ai.request.model': name,
  };
  return {
    name,
    longestSeconds: ((timeoutMs + retry.longestWaitMs) * (retry.retries + 1)) / 1_000,
    async draw({ prompt, count, size }, { signal, log }) {
      const called = await callWithRetries({ ...{ name, timeoutMs, retry }, signal, clock, log }, (within) =>
        inSpan(
          `generate_content ${name}`,
          'client',
          undefined,
          { ...attributes, 'gen_ai.request.choice.count': count },
          () =>
            generateImage({
              ...{ model, prompt, n: count, maxRetries: 0, abortSignal: within },
              ...(size === undefined ? {} : { size: size as `${number}x${number}` }),
            }),
        ),
      );
      if (called.kind === 'failure') {
        const { code, message } = called.failure;
        return { failure: { code, message } };
      }
      const drawn = called.value.images.map(({ uint8Array }) => pictureOf(uint8Array));
      const pictures = drawn.filter((picture) => picture !== null);
      if (pictures.length > 0 && pictures.length === drawn.length) return { pictures };
      return {
        failure: { code: 'model_answer_invalid', message: 'the model answered with what is no picture' },
      };
    },
  };
}
