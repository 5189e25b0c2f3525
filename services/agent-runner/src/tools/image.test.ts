import { systemClock } from '@swissbrain/service-kit/clock';
import { parseConfig } from '@swissbrain/service-kit/config';
import { createLogger } from '@swissbrain/service-kit/logger';
import { tinyPng } from '@swissbrain/testkit/model-images';
import { type ModelServer, startModelServer } from '@swissbrain/testkit/model-server';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { configSchema } from '../config.ts';
import type { SandboxSession } from '../sandbox/driver.ts';
import { SandboxError } from '../sandbox/errors.ts';
import { createImageTool } from './image.ts';
import { chooseImageMaker } from './image-model.ts';
import type { ToolContext } from './tool.ts';

let model: ModelServer;
beforeAll(async () => {
  model = await startModelServer();
});
afterAll(() => model.stop());
beforeEach(() => model.reset());

const configOf = (variables: Record<string, string>) =>
  parseConfig(configSchema, {
    DATABASE_URL: 'postgres://localhost/x',
    NATS_URL: 'nats://localhost',
    REDIS_URL: 'redis://localhost',
    AUTH_JWT_SECRET: 'a secret of thirty-two characters',
    STORAGE_DIR: '/tmp/x',
    STORAGE_SIGNING_SECRET: 'a secret of thirty-two characters',
    SANDBOX_DIR: '/tmp/x',
    SANDBOX_SECRET: 'a secret of thirty-two characters',
    MODEL_RETRY_MS: '1',
    IMAGE_TIMEOUT_SECONDS: '1',
    ...variables,
  });
const toolWith = (variables: Record<string, string>) =>
  createImageTool(chooseImageMaker(configOf(variables), systemClock));
const openai = () =>
  toolWith({ IMAGE_MODEL: 'gpt-image-1', OPENAI_API_KEY: 'key', OPENAI_BASE_URL: model.url });
const compatible = () => toolWith({ IMAGE_MODEL: 'flux', IMAGE_BASE_URL: model.url, IMAGE_API_KEY: 'key' });

/** A workspace in memory, as far as this tool uses one. */
function contextOn(files: Map<string, Buffer>, attempt = 1, signal = new AbortController().signal) {
  const session = {
    putFile: async (path: string, content: Uint8Array) => void files.set(path, Buffer.from(content)),
    async *getFile(path: string) {
      const found = files.get(path);
      if (!found) throw new SandboxError('user', 'file_missing', 'there is no such file');
      yield found;
    },
  } as unknown as SandboxSession;
  const log = createLogger({ service: 'test', level: 'silent' });
  return { stepId: 'step', attempt, signal, log, sandbox: async () => session } as unknown as ToolContext;
}
const parse = (tool: ReturnType<typeof openai>, input: unknown) => tool.input.parse(input);

describe.each([
  ['OpenAI', openai],
  ['a server with its API', compatible],
])('pictures of %s', (_, made) => {
  it('lie in the workspace under the ending of what they are, and are charged by number', async () => {
    const tool = made();
    const files = new Map<string, Buffer>();
    const input = parse(tool, {
      prompt: 'a grey dot',
      path: 'artifacts/dot.jpeg',
      count: 2,
      size: '1024x1024',
    });
    expect(tool.estimate(input as never)).toEqual([{ operation: 'image.generation', quantity: '2' }]);
    const size = Buffer.from(tinyPng, 'base64').length;
    const images = ['artifacts/dot-1.png', 'artifacts/dot-2.png'].map((path) => ({ path, size_bytes: size }));
    expect(await tool.run(input, contextOn(files))).toEqual({
      output: { images },
      usage: [{ operation: 'image.generation', quantity: '2' }],
    });
    expect(files.get('artifacts/dot-2.png')?.toString('base64')).toBe(tinyPng);
    expect(model.requests[0]).toMatchObject({
      api: 'images',
      authorization: 'Bearer key',
      body: { prompt: 'a grey dot', n: 2, size: '1024x1024' },
    });

    // After a crash: what was made is found, not made again.
    expect(await tool.run(input, contextOn(files, 2))).toMatchObject({ output: { images } });
    expect(model.requests).toHaveLength(1);
    await tool.run(input, contextOn(new Map([['.swissbrain/step.images', Buffer.from('nonsense')]]), 2));
    expect(model.requests).toHaveLength(2);
  });

  it('are asked for again when it may help, and cost nothing when there is none', async () => {
    const tool = made();
    const input = parse(tool, { prompt: 'a dot' });
    const draw = () => tool.run(input, contextOn(new Map()));
    model.misbehaviour.set(1, { status: 500 });
    model.misbehaviour.set(2, { status: 429, retryAfter: 0 });
    expect(await draw()).toMatchObject({ output: { images: [{ path: 'artifacts/image.png' }] } });
    model.reset();
    const failures: [unknown, string, number][] = [
      [{ status: 400, message: 'rejected by the safety system' }, 'model_refused', 1],
      [{ status: 401 }, 'model_unauthorized', 1],
      [
        { status: 429, code: 'insufficient_quota', message: 'exceeded your current quota' },
        'model_quota_exceeded',
        1,
      ],
      [{ malformed: '{"data": [{' }, 'model_answer_invalid', 3],
      [{ malformed: '{"data": []}' }, 'model_answer_invalid', 3],
      [{ images: [Buffer.from('<html>no picture</html>').toString('base64')] }, 'model_answer_invalid', 1],
      ['hang', 'model_timeout', 3],
    ];
    for (const [answer, code, tries] of failures) {
      model.reset();
      model.script = [answer as never];
      expect([await draw(), model.count]).toMatchObject([{ usage: [], failure: { code } }, tries]);
    }
  });
});

it('is not offered without a model, and says what to set', async () => {
  expect(toolWith({}).unavailable()).toContain('IMAGE_MODEL');
  expect(openai().unavailable()).toBeNull();
  for (const path of ['/etc/x.png', '../x.png', 'a/../../x.png']) {
    expect(openai().input.safeParse({ prompt: 'x', path }).success).toBe(false);
  }
});

it('stops with the run', async () => {
  const stop = new AbortController();
  model.script = ['hang'];
  const tool = openai();
  const drawing = tool.run(parse(tool, { prompt: 'x' }), contextOn(new Map(), 1, stop.signal));
  stop.abort(new Error('the run has ended'));
  await expect(drawing).rejects.toThrow('the run has ended');
});
