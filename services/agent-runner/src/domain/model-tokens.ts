import { modelOperation } from '@swissbrain/shared-schema/operations';
import type { Usage } from './usage.ts';

/** Tokens of one answer; the first four are disjoint, `reasoning` is part of `output`. */
export interface ModelTokens {
  readonly input: number;
  readonly cacheRead: number;
  readonly cacheWrite: number;
  readonly output: number;
  readonly reasoning: number;
}

/** How the tokens of a model are counted for its price. */
export interface TokenPrice {
  /** The <model> of `llm.<model>.input`. */
  readonly priceAs: string;
  /** What a token from the provider's cache counts, in percent of a fresh one. */
  readonly cachedInputPercent: number;
  /** What a token that goes into the provider's cache counts. */
  readonly cacheWritePercent: number;
}

/** Adds up tokens, of the calls that one answer took. */
export function addTokens(a: ModelTokens, b: ModelTokens): ModelTokens {
  return {
    input: a.input + b.input,
    cacheRead: a.cacheRead + b.cacheRead,
    cacheWrite: a.cacheWrite + b.cacheWrite,
    output: a.output + b.output,
    reasoning: a.reasoning + b.reasoning,
  };
}

/**
 * What tokens are charged as. A model has one price for input; tokens of the provider's cache count as the share
 * of a fresh one that the provider charges, rounded up once.
 */
export function usageOfTokens(price: TokenPrice, tokens: ModelTokens): readonly Usage[] {
  const { priceAs, cachedInputPercent, cacheWritePercent } = price;
  const hundredths =
    100n * BigInt(tokens.input) +
    BigInt(cachedInputPercent) * BigInt(tokens.cacheRead) +
    BigInt(cacheWritePercent) * BigInt(tokens.cacheWrite);
  const lines = [
    { operation: modelOperation(priceAs, 'input'), quantity: String((hundredths + 99n) / 100n) },
    { operation: modelOperation(priceAs, 'output'), quantity: String(tokens.output) },
  ];
  return lines.filter((line) => line.quantity !== '0');
}

/** Bytes of text to a token: below what tokenizers need for prose and code, so an estimate is never too low for them. */
const bytesPerToken = 3;
/** Frames of messages and of tools. */
const frameTokens = 200;

/** Tokens of a prompt, at most. */
export function estimateTokens(bytes: number): number {
  return Math.ceil(bytes / bytesPerToken) + frameTokens;
}

/** The most a call may be charged: all of it written into the cache, and all the output it is allowed. */
export function worstCaseOfCall(
  price: TokenPrice,
  promptBytes: number,
  maxOutputTokens: number,
): readonly Usage[] {
  const tokens = estimateTokens(promptBytes);
  const dearest = Math.max(100, price.cacheWritePercent);
  return [
    {
      operation: modelOperation(price.priceAs, 'input'),
      quantity: String(Math.ceil((tokens * dearest) / 100)),
    },
    { operation: modelOperation(price.priceAs, 'output'), quantity: String(maxOutputTokens) },
  ];
}
