import { systemClock } from '@swissbrain/service-kit/clock';
import { parseConfig } from '@swissbrain/service-kit/config';
import { createLogger } from '@swissbrain/service-kit/logger';
import { type ModelServer, startModelServer } from '@swissbrain/testkit/model-server';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { configSchema } from '../config.ts';
import { createLlmTool } from '../tools/llm.ts';
import type { ToolContext } from '../tools/tool.ts';
import { askModel, type Question } from './ask-model.ts';
import { chooseModels, type Models } from './models.ts';

let first: ModelServer;
let second: ModelServer;
beforeAll(async () => {
  [first, second] = await Promise.all([startModelServer(), startModelServer()]);
});
afterAll(() => Promise.all([first?.stop(), second?.stop()]));
beforeEach(() => {
  first.reset();
  second.reset();
});

const required = {
  AUTH_JWT_SECRET: 'a secret that is long enough for a test',
  DATABASE_URL: 'postgres://localhost/x',
  NATS_URL: 'nats://localhost',
  REDIS_URL: 'redis://localhost',
  STORAGE_DIR: '/tmp',
  STORAGE_SIGNING_SECRET: 'signs the links of this test, 32 characters',
  SANDBOX_DIR: '/tmp',
  SANDBOX_SECRET: 'the sandbox secret of this test, 32 characters',
};

type Provider = 'openai' | 'anthropic' | 'openai-compatible';

/** Two models, the second behind the first. */
function modelsOf(provider: Provider, more: Record<string, unknown> = {}): Models {
  const entry = (url: string, model: string) => ({ provider, base_url: url, model, api_key: 'key', ...more });
  const config = parseConfig(configSchema, {
    ...required,
    MODEL_RETRY_MS: '5',
    MODEL_CONFIG: JSON.stringify({
      models: { first: entry(first.url, 'one'), second: entry(second.url, 'two') },
      default: ['first', 'second'],
    }),
  });
  const choice = chooseModels(config);
  if ('reason' in choice) throw new Error(choice.reason);
  return choice.models;
}

function ask(models: Models, more: Partial<Question> = {}) {
  return askModel({
    ...{ models: models.forMode('general'), retry: models.retry, instructions: 'Be brief.' },
    messages: [{ role: 'user', content: 'Where is Bern?' }],
    ...{ runId: 'run', signal: new AbortController().signal, clock: systemClock },
    log: createLogger({ service: 'test', level: 'silent' }),
    ...more,
  });
}

describe.each(['openai', 'anthropic', 'openai-compatible'] as const)('asking models of %s', (provider) => {
  it('gives words as they come, and every token in its bucket', async () => {
    const tokens = {
      fresh: 50,
      cacheRead: 900,
      output: 7,
      ...(provider === 'anthropic' ? { cacheWrite: 30 } : {}),
    };
    first.script = [{ text: 'Bern is the capital of Switzerland.', tokens }];
    const said: string[] = [];
    const onText = (text: string, restart: boolean) => said.push(restart ? `<${text}` : text);
    const outcome = await ask(modelsOf(provider), { onText });
    expect(outcome).toMatchObject({
      kind: 'answer',
      text: 'Bern is the capital of Switzerland.',
      tries: 1,
      finishReason: 'stop',
      tokens: { input: 50, cacheRead: 900, cacheWrite: provider === 'anthropic' ? 30 : 0, output: 7 },
    });
    expect(said.length).toBeGreaterThan(1);
    expect(said.join('')).toBe('<Bern is the capital of Switzerland.');
    expect(JSON.stringify(first.requests[0]?.body).includes('ephemeral')).toBe(provider === 'anthropic');
  });

  it('tries again what may go well: busy, overloaded, cut off, broken, malformed', async () => {
    const troubles = [
      { status: 429, retryAfter: 0 },
      { status: 500 },
      { status: 529 },
      { text: 'Bern is the capital of Switzerland.', cutAfter: 3 },
      { text: 'Bern is the capital of Switzerland.', endAfter: 3 },
      { text: 'Bern is the capital of Switzerland.', failAfter: 3 },
      { malformed: '{"choices": [' },
    ];
    for (const trouble of troubles) {
      first.script = [trouble, { text: 'In Switzerland.' }];
      expect(await ask(modelsOf(provider)), JSON.stringify(trouble)).toMatchObject({
        kind: 'answer',
        text: 'In Switzerland.',
        tries: 2,
      });
    }
    expect(second.count).toBe(0);
  });

  it('turns to the next model when the first refuses the key, has no money left, hangs or stays broken', async () => {
    second.script = [{ text: 'In Europe.' }];
    const troubles = [
      [{ status: 401 }, 1],
      [{ status: 404, message: 'no such model' }, 1],
      [{ status: 429, code: 'insufficient_quota', message: 'You exceeded your current quota' }, 1],
      [{ status: 503 }, 3],
      [{ status: 429, retryAfter: 3_600 }, 1],
    ] as const;
    for (const [trouble, tries] of troubles) {
      first.reset();
      first.script = [trouble];
      const outcome = await ask(modelsOf(provider));
      expect(outcome, JSON.stringify(trouble)).toMatchObject({
        kind: 'answer',
        text: 'In Europe.',
        tries: tries + 1,
      });
      expect(first.count).toBe(tries);
      if (outcome.kind === 'answer') expect(outcome.model.name).toBe('two');
    }
    first.script = ['hang'];
    expect(
      await ask(modelsOf(provider, { timeout_seconds: 1 }), {
        retry: { retries: 0, waitMs: 1, longestWaitMs: 1 },
      }),
    ).toMatchObject({ kind: 'answer', text: 'In Europe.' });
  });

  it('tells the first reason when nobody answers, and asks nobody else what all would refuse', async () => {
    first.script = [{ status: 401 }];
    second.script = [{ status: 500, message: 'oops' }];
    expect(await ask(modelsOf(provider))).toMatchObject({
      kind: 'failure',
      tries: 4,
      failure: { code: 'model_unauthorized', message: expect.stringContaining('two: model_error') },
    });
    second.reset();
    first.script = [{ status: 400, message: 'tools are not allowed here' }];
    expect(await ask(modelsOf(provider))).toMatchObject({
      kind: 'failure',
      tries: 1,
      failure: { code: 'model_refused', message: expect.stringContaining('tools are not allowed here') },
    });
    first.script = [
      provider === 'anthropic'
        ? { status: 400, message: 'prompt is too long: 210000 tokens > 200000 maximum' }
        : {
            status: 400,
            code: 'context_length_exceeded',
            message: "This model's maximum context length is 8192",
          },
    ];
    expect(await ask(modelsOf(provider))).toMatchObject({
      failure: { code: 'context_too_long', remedy: 'shorten' },
    });
    expect(second.count).toBe(0);
  });

  it('stops at once when the run is stopped, in a call and in a pause', async () => {
    for (const trouble of ['hang', { status: 429, retryAfter: 30 }] as const) {
      first.reset();
      first.script = [trouble];
      const stop = new AbortController();
      const asked = ask(modelsOf(provider), { signal: stop.signal });
      const stopped = expect(asked).rejects.toThrow('stopped');
      await expect.poll(() => first.count).toBe(1);
      stop.abort(new Error('stopped'));
      await stopped;
    }
    expect(second.count).toBe(0);
  });
});

describe.each(['openai', 'anthropic', 'openai-compatible'] as const)(
  'structured output of %s',
  (provider) => {
    it('follows the schema, which the model is told; an answer that does not is asked for again', async () => {
      const tool = createLlmTool({ models: modelsOf(provider) }, systemClock);
      const input = tool.input.parse({
        prompt: 'Where?',
        schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
      });
      const call = () =>
        tool.run(input, {
          ...{ runId: 'run', signal: new AbortController().signal },
          log: createLogger({ service: 'test', level: 'silent' }),
        } as unknown as ToolContext);
      first.script = [{ text: 'Bern, I think' }, { text: '{"town":"Bern"}' }, { text: '{"city":"Bern"}' }];
      expect(await call()).toMatchObject({ output: { object: { city: 'Bern' } } });
      expect(first.requests).toHaveLength(3);
      expect(JSON.stringify(first.requests[0]?.body)).toContain('"city":{"type":"string"}');
      first.script = [{ text: '{"city": 7}' }];
      second.script = [{ text: 'no' }];
      expect(await call()).toMatchObject({ usage: [], failure: { code: 'model_answer_invalid' } });
    });
  },
);

it('takes no schema that is none, or that could be used to stall', () => {
  const tool = createLlmTool({ reason: 'none' }, systemClock);
  const problem = (schema: unknown) =>
    tool.input.safeParse({ prompt: 'x', schema }).error?.issues[0]?.message;
  expect(problem({ type: 'object', properties: { a: { type: 'string' } } })).toBeUndefined();
  expect(problem({ type: 'string' })).toContain('object');
  expect(problem({ type: 'object', properties: { a: { type: 'nonsense' } } })).toContain('JSON Schema');
  expect(problem({ type: 'object', properties: { a: { type: 'string', pattern: '(a+)+$' } } })).toContain(
    'patterns',
  );
});
