import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import type { Clock } from '@swissbrain/service-kit/clock';
import { inSpan } from '@swissbrain/service-kit/trace-context';
import { generateImage, type ImageModel } from 'ai';
import { callWithRetries } from '../agent/model-retries.ts';
import { retrySettings } from '../agent/models.ts';
import type { Config } from '../config.ts';
import type { ToolContext } from './tool.ts';

/** A picture as a model gave it. */
export interface Picture {
  readonly bytes: Uint8Array;
  /** With the dot. */
  readonly extension: string;
}

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

const maxBytes = 50 * 1024 * 1024;
const beginnings: readonly (readonly [extension: string, begins: (bytes: Buffer) => boolean])[] = [
  ['.png', (bytes) => bytes.subarray(1, 4).toString('latin1') === 'PNG'],
  ['.jpg', (bytes) => bytes.readUIntBE(0, 3) === 0xffd8ff],
  ['.gif', (bytes) => bytes.subarray(0, 4).toString('latin1') === 'GIF8'],
  ['.webp', (bytes) => bytes.subarray(8, 12).toString('latin1') === 'WEBP'],
];

/** What kind of picture it is by its first bytes; servers do not always say the truth. */
function extensionOf(bytes: Uint8Array): string | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return view.length < 12 ? undefined : beginnings.find(([, begins]) => begins(view))?.[0];
}

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

function pictureOf(bytes: Uint8Array): Picture | null {
  const extension = extensionOf(bytes);
  return extension === undefined || bytes.length > maxBytes ? null : { bytes, extension };
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
