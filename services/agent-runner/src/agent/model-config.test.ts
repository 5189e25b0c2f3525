import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addTokens, estimateTokens, usageOfTokens, worstCaseOfCall } from '../domain/model-tokens.ts';
import { dearestUsage, priceUsage } from '../domain/usage.ts';
import { modelConfigText } from './model-config.ts';

const problemsOf = (config: unknown) =>
  (
    modelConfigText.safeParse(typeof config === 'string' ? config : JSON.stringify(config)).error?.issues ??
    []
  )
    .map((issue) => `${issue.path.join('.')}: ${issue.message}`)
    .sort();

describe('the configuration of models', () => {
  it('takes models, their order and what modes change', () => {
    const text = JSON.stringify({
      models: {
        smart: { provider: 'anthropic', model: 'claude-sonnet-4-5', max_output_tokens: 8_000 },
        local: { provider: 'openai-compatible', base_url: 'http://127.0.0.1:11434/v1', model: 'qwen3' },
      },
      default: ['smart', 'local'],
      modes: { chat: { models: ['local'], max_steps: 5 } },
    });
    const config = modelConfigText.parse(text);
    expect(config.default).toEqual(['smart', 'local']);
    expect(config.modes.chat).toEqual({ models: ['local'], max_steps: 5 });
  });

  it('tells every problem with its place, and no value', () => {
    const secret = 'sk-secret';
    expect(problemsOf(`{"api_key": "${secret}"`)).toEqual([': is not JSON']);
    const problems = problemsOf({
      models: {
        a: { provider: 'openai-compatible', api_key: secret },
        b: { provider: 'openai', context_tokens: 1, price_as: '' },
      },
      default: ['a', 'c'],
      modes: { chat: { models: ['d'] }, dance: {} },
    });
    expect(problems.map((problem) => problem.split(':')[0])).toEqual(
      expect.arrayContaining(['models.b.context_tokens', 'models.b.price_as']),
    );
    expect(problems.join('\n')).not.toContain(secret);
    const references = problemsOf({
      models: { a: { provider: 'openai-compatible' } },
      default: ['a', 'c'],
      modes: { chat: { models: ['d'] } },
    });
    expect(references).toEqual([
      'default.1: is not among "models"',
      'models.a.base_url: is required',
      'modes.chat.models.0: is not among "models"',
    ]);
  });
});

const count = fc.nat(1_000_000);
const someTokens = fc.record({
  input: count,
  cacheRead: count,
  cacheWrite: count,
  output: count,
  reasoning: fc.constant(0),
});
const quantity = (lines: readonly { operation: string; quantity: string }[], operation: string) =>
  BigInt(lines.find((line) => line.operation === operation)?.quantity ?? '0');

describe('tokens of a call', () => {
  it('are charged as what the provider charges: a share of a fresh one from its cache, more into it', () => {
    const price = { priceAs: 'm', cachedInputPercent: 10, cacheWritePercent: 125 };
    const tokens = { input: 50, cacheRead: 900, cacheWrite: 100, output: 7, reasoning: 3 };
    expect(usageOfTokens(price, tokens)).toEqual([
      { operation: 'llm.m.input', quantity: String(50 + 90 + 125) },
      { operation: 'llm.m.output', quantity: '7' },
    ]);
    expect(usageOfTokens(price, { ...tokens, input: 0, cacheRead: 0, cacheWrite: 0, output: 0 })).toEqual([]);
  });

  it('never charge less than their share, nor a whole token more; several calls are at most one apart', () => {
    const percents = fc.record({ cachedInputPercent: fc.nat(1_000), cacheWritePercent: fc.nat(1_000) });
    fc.assert(
      fc.property(someTokens, someTokens, percents, (a, b, given) => {
        const price = { priceAs: 'm', ...given };
        const charged = quantity(usageOfTokens(price, a), 'llm.m.input');
        const hundredths =
          100n * BigInt(a.input) +
          BigInt(given.cachedInputPercent) * BigInt(a.cacheRead) +
          BigInt(given.cacheWritePercent) * BigInt(a.cacheWrite);
        expect(charged * 100n >= hundredths && charged * 100n < hundredths + 100n).toBe(true);
        const together = quantity(usageOfTokens(price, addTokens(a, b)), 'llm.m.input');
        const apart = charged + quantity(usageOfTokens(price, b), 'llm.m.input');
        expect(apart - together === 0n || apart - together === 1n).toBe(true);
      }),
    );
  });

  it('stay below the worst case of their call, whatever the cache does', () => {
    fc.assert(
      fc.property(fc.nat(100_000), fc.nat(1_000), fc.nat(1_000), fc.nat(100), (bytes, read, write, share) => {
        const price = { priceAs: 'm', cachedInputPercent: Math.min(read, 100), cacheWritePercent: write };
        const total = estimateTokens(bytes);
        const cached = Math.floor((total * share) / 100);
        const tokens = { input: total - cached, cacheRead: 0, cacheWrite: cached, output: 9, reasoning: 0 };
        const worst = worstCaseOfCall(price, bytes, 9);
        const used = usageOfTokens(price, tokens);
        expect(quantity(worst, 'llm.m.input') >= quantity(used, 'llm.m.input')).toBe(true);
      }),
    );
  });

  it('of several models the dearest counts, at the frozen prices and the default of those without one', () => {
    const price = (operation: string, priceMicro: bigint) =>
      [operation, { operation, priceMicro, perQuantity: 1_000n }] as const;
    const prices = new Map([
      price('llm.default.input', 300_000n),
      price('llm.default.output', 600_000n),
      price('llm.dear.input', 900_000n),
      price('llm.dear.output', 900_000n),
    ]);
    const cases = ['unknown', 'dear', 'other'].map((priceAs) =>
      worstCaseOfCall({ priceAs, cachedInputPercent: 10, cacheWritePercent: 100 }, 3_000, 500),
    );
    expect(dearestUsage(cases, prices)).toBe(cases[1]);
    expect(priceUsage(cases[0] ?? [], prices)).toBe(priceUsage(cases[2] ?? [], prices));
    expect(dearestUsage([], prices)).toEqual([]);
  });
});
