import { annotateSpan, failSpan, inSpan } from '@swissbrain/service-kit/trace-context';
import type { ModelTokens } from '../domain/model-tokens.ts';
import { classifyFailure } from './model-failure.ts';
import type { Model } from './models.ts';

/** One try of asking a model, as its span tells it. */
export interface ChatCall {
  readonly model: Pick<Model, 'name' | 'provider' | 'server' | 'stream'>;
  readonly runId: string;
  readonly maxTokens: number;
  readonly temperature: number | undefined;
  readonly outputType: 'text' | 'json';
  /** The time of day, for failures that name one. */
  readonly nowMs: number;
}

interface Told {
  readonly tokens: ModelTokens;
  readonly finishReason: string;
  readonly response: { readonly id: string; readonly modelId: string };
}

/** Tokens as the conventions count them: what came from or went into a cache is part of the input. */
export function usageAttributes(tokens: ModelTokens): Record<string, number> {
  return {
    'gen_ai.usage.input_tokens': tokens.input + tokens.cacheRead + tokens.cacheWrite,
    'gen_ai.usage.output_tokens': tokens.output,
    'gen_ai.usage.cache_read.input_tokens': tokens.cacheRead,
    'gen_ai.usage.cache_creation.input_tokens': tokens.cacheWrite,
    'gen_ai.usage.reasoning.output_tokens': tokens.reasoning,
  };
}

/** What something cost, in micro-credits; the conventions have no name for it. */
export function costAttribute(micro: bigint): Record<string, number> {
  return { 'swissbrain.cost_micro': Number(micro) };
}

/** Why a try has no answer, in few words: the classes of failures, or that it was too late. */
function errorType(error: unknown, nowMs: number): string {
  const name = error instanceof Error ? error.name : '';
  if (name === 'TimeoutError') return 'model_timeout';
  if (name === 'AbortError') return 'cancelled';
  return classifyFailure(error, nowMs).code;
}

/**
 * A span with the attributes of OpenTelemetry's conventions for generative AI. What was said is never in it.
 * @see https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
 */
export function inChatSpan<T>(
  call: ChatCall,
  work: (told: (answer: Told, costMicro: bigint | undefined) => void) => Promise<T>,
): Promise<T> {
  const { model, runId, maxTokens, temperature, outputType } = call;
  const attributes = {
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': model.provider,
    'gen_ai.request.model': model.name,
    'gen_ai.request.max_tokens': maxTokens,
    'gen_ai.request.stream': model.stream && outputType === 'text',
    ...(temperature === undefined ? {} : { 'gen_ai.request.temperature': temperature }),
    'gen_ai.output.type': outputType,
    'gen_ai.conversation.id': runId,
    'server.address': model.server.host,
    'server.port': model.server.port,
  };
  return inSpan(`chat ${model.name}`, 'client', undefined, attributes, async () => {
    try {
      return await work(({ tokens, finishReason, response }, costMicro) =>
        annotateSpan({
          'gen_ai.response.id': response.id,
          'gen_ai.response.model': response.modelId,
          'gen_ai.response.finish_reasons': [finishReason],
          ...usageAttributes(tokens),
          ...(costMicro === undefined ? {} : costAttribute(costMicro)),
        }),
      );
    } catch (error) {
      const type = errorType(error, call.nowMs);
      failSpan(type, type);
      throw error;
    }
  });
}
