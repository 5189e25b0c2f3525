import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { type ModelServer, startModelServer } from '@swissbrain/testkit/model-server';
import { APICallError, generateText, type LanguageModel, streamText, tool } from 'ai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';

let server: ModelServer;
beforeAll(async () => {
  server = await startModelServer();
});
afterAll(() => server?.stop());
beforeEach(() => server.reset());

const apiKey = 'a key';
const providers: Readonly<Record<string, () => LanguageModel>> = {
  openai: () => createOpenAI({ baseURL: server.url, apiKey }).chat('gpt'),
  'openai-compatible': () =>
    createOpenAICompatible({ name: 'local', baseURL: server.url, apiKey, includeUsage: true })('qwen'),
  anthropic: () => createAnthropic({ baseURL: server.url, apiKey })('claude'),
};

const tools = { add: tool({ description: 'Adds', inputSchema: z.object({ a: z.number(), b: z.number() }) }) };
const conversation = { prompt: 'Count', tools, maxRetries: 0 };
const calls = [
  { name: 'add', input: { a: 1, b: 2 } },
  { name: 'add', input: { a: 30_000, b: 40_000 } },
];
const tokens = { fresh: 50, cacheRead: 900, output: 7 };

/** All that a stream says; its error where it has one. */
async function streamOf(model: LanguageModel) {
  const result = streamText({ model, ...conversation, onError: () => undefined });
  const said = {
    text: '',
    calls: [] as unknown[],
    invalid: 0,
    finish: '',
    usage: {},
    error: undefined as unknown,
  };
  try {
    for await (const part of result.fullStream) {
      if (part.type === 'text-delta') said.text += part.text;
      if (part.type === 'tool-call') {
        if (part.invalid) said.invalid += 1;
        else said.calls.push(part.input);
      }
      if (part.type === 'error') said.error = part.error;
      if (part.type === 'finish') {
        said.finish = part.finishReason;
        said.usage = part.totalUsage;
      }
    }
  } catch (thrown) {
    said.error = thrown;
  }
  return said;
}

describe.each(Object.entries(providers))('the scripted model server, as %s hears it', (name, provider) => {
  it('answers as a whole and as a stream: words, calls beside each other, tokens', async () => {
    server.script = [{ text: 'Two sums, please: see below.', calls, tokens }];
    const usage = { inputTokens: 950, outputTokens: 7, inputTokenDetails: { cacheReadTokens: 900 } };
    const whole = await generateText({ model: provider(), ...conversation });
    expect(whole.text).toBe('Two sums, please: see below.');
    expect(whole.toolCalls.map(({ input }) => input)).toEqual(calls.map(({ input }) => input));
    expect(whole.usage).toMatchObject(usage);
    expect(whole.finishReason).toBe('tool-calls');

    const streamed = await streamOf(provider());
    expect(streamed).toMatchObject({ text: whole.text, calls: calls.map(({ input }) => input), usage });
    expect(streamed.finish).toBe('tool-calls');
    expect(server.requests.map(({ stream, opening, turn }) => [stream, opening, turn])).toEqual([
      [false, 'Count', 0],
      [true, 'Count', 0],
    ]);
    expect(server.requests[0]).toMatchObject({ tools: ['add'], api: name === 'anthropic' ? name : 'openai' });
    expect(server.requests[0]?.authorization).toContain(apiKey);
  });

  it('refuses with status, reason and retry-after', async () => {
    for (const status of [400, 401, 429, 500, 529]) {
      server.script = [{ status, message: 'not today', ...(status === 429 ? { retryAfter: 7 } : {}) }];
      const error = await generateText({ model: provider(), ...conversation }).catch(
        (thrown: unknown) => thrown,
      );
      if (!APICallError.isInstance(error)) throw new Error(`${status} became ${String(error)}`);
      expect(error.statusCode).toBe(status);
      expect(error.message).toContain('not today');
      expect(error.responseHeaders?.['retry-after']).toBe(status === 429 ? '7' : undefined);
    }
  });

  it('breaks: malformed JSON, broken arguments, streams that end, are cut or fail half way', async () => {
    server.script = [{ malformed: '{"choices": [' }];
    await expect(generateText({ model: provider(), ...conversation })).rejects.toThrow();
    expect((await streamOf(provider())).error).toBeDefined();

    server.script = [{ calls: [{ name: 'add', input: '{"a": 1, "b"' }] }];
    expect(await streamOf(provider())).toMatchObject({ invalid: 1, calls: [] });

    const text = 'It was the best of times, it was the worst of times';
    server.script = [{ text, cutAfter: 4 }];
    const cut = await streamOf(provider());
    expect(cut.error).toBeDefined();
    expect(cut.text).not.toBe(text);
    expect(text.startsWith(cut.text)).toBe(true);
    server.script = [{ text, failAfter: 4 }];
    expect((await streamOf(provider())).error).toBeDefined();
    server.script = [{ text, endAfter: 4 }];
    expect((await streamOf(provider())).finish).not.toBe('stop');
  });

  it('hangs until the one who asks gives up', async () => {
    server.script = ['hang'];
    const asked = new AbortController();
    const answer = generateText({ model: provider(), ...conversation, abortSignal: asked.signal });
    const refused = expect(answer).rejects.toThrow();
    await expect.poll(() => server.requests.length).toBe(1);
    asked.abort();
    await refused;
  });

  it('follows conversations by turn, misbehaves at a given call, and gives tries their own answers', async () => {
    server.conversations = [
      { match: 'sum', turns: [{ text: 'first' }, [{ status: 500 }, { text: 'second' }]] },
      { match: '', turns: [{ text: 'other' }] },
    ];
    server.misbehaviour.set(2, { status: 503 });
    const ask = async (prompt: string, turn: number) => {
      const answered = Array.from({ length: turn }, () => [
        { role: 'assistant' as const, content: 'before' },
        { role: 'user' as const, content: 'go on' },
      ]).flat();
      const messages = [{ role: 'user' as const, content: prompt }, ...answered];
      return generateText({ model: provider(), messages, maxRetries: 0 }).then(
        ({ text }) => text,
        (error: unknown) => (APICallError.isInstance(error) ? error.statusCode : error),
      );
    };
    expect(await ask('a sum', 0)).toBe('first');
    expect(await ask('a sum', 0)).toBe(503);
    expect(await ask('a sum', 0)).toBe('first');
    expect(await ask('a sum', 1)).toBe(500);
    expect(await ask('a sum', 1)).toBe('second');
    expect(await ask('something else', 1)).toBe('other');
  });
});
