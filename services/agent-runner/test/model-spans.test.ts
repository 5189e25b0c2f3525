import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import { startTelemetry } from '@swissbrain/service-kit/telemetry';
import { type ModelServer, startModelServer } from '@swissbrain/testkit/model-server';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { newUser, playbookOf, type Runner, startRunner, type User } from './support/runner.ts';

const exporter = new InMemorySpanExporter();
let stopTelemetry: () => Promise<void>;
let model: ModelServer;
let runner: Runner;
let user: User;
beforeAll(async () => {
  // Before the service, which then shares it.
  stopTelemetry = await startTelemetry({
    service: 'agent-runner',
    spanProcessor: new SimpleSpanProcessor({ exporter }),
  });
  model = await startModelServer();
  const entry = { provider: 'openai', base_url: model.url, api_key: 'key', temperature: 0.5 };
  runner = await startRunner({
    overrides: {
      MODEL_CONFIG: JSON.stringify({
        models: { one: { ...entry, max_output_tokens: 500 } },
        default: ['one'],
      }),
      MODEL_RETRY_MS: '1',
      IMAGE_MODEL: 'flux',
      IMAGE_BASE_URL: model.url,
      EMBEDDING_MODEL: 'nomic',
      EMBEDDING_BASE_URL: model.url,
    },
  });
  user = await newUser(runner.url);
});
afterAll(async () => {
  await runner?.stop();
  await model?.stop();
  await stopTelemetry?.();
});
beforeEach(() => exporter.reset());

const spansOf = (operation: string): ReadableSpan[] =>
  exporter.getFinishedSpans().filter((span) => span.attributes['gen_ai.operation.name'] === operation);

it('a goal run tells what was asked, used and paid, by call, by tool and in all, and never what was said', async () => {
  const tokens = { fresh: 100, cacheRead: 900, output: 10 };
  model.script = [
    { status: 500 },
    { calls: [{ name: 'file', id: 'call_x', input: { action: 'read', path: 'not there' } }], tokens },
    { text: 'The secret word is swordfish.', tokens },
  ];
  const run = await user.create({ goal: 'Find swordfish' });
  expect(await user.ended(run.id)).toMatchObject({ status: 'completed' });

  const [failed, asked, answered] = spansOf('chat');
  const { port } = new URL(model.url);
  const request = {
    'gen_ai.provider.name': 'openai',
    'gen_ai.request.model': 'one',
    'gen_ai.request.max_tokens': 500,
    'gen_ai.request.temperature': 0.5,
    'gen_ai.request.stream': true,
    'gen_ai.output.type': 'text',
    'gen_ai.conversation.id': run.id,
    'server.address': '127.0.0.1',
    'server.port': Number(port),
  };
  expect(failed?.attributes).toMatchObject({ ...request, 'error.type': 'model_error' });
  expect(failed?.status.code).toBe(2);
  expect(asked?.attributes).toMatchObject({ ...request, 'gen_ai.response.finish_reasons': ['tool-calls'] });
  // 100 fresh tokens and 900 of the cache at half the price: 550 at 0.3, 10 at 0.6.
  const usage = {
    'gen_ai.usage.input_tokens': 1_000,
    'gen_ai.usage.cache_read.input_tokens': 900,
    'gen_ai.usage.cache_creation.input_tokens': 0,
    'gen_ai.usage.output_tokens': 10,
  };
  expect(answered?.attributes).toMatchObject({
    ...{ ...request, ...usage },
    'gen_ai.response.id': 'chatcmpl-3',
    'gen_ai.response.model': 'one',
    'gen_ai.response.finish_reasons': ['stop'],
    'swissbrain.cost_micro': 171_000,
  });

  const [tool] = spansOf('execute_tool');
  const steps = await user.steps(run.id);
  expect(tool?.name).toBe('execute_tool file');
  expect(tool?.attributes).toMatchObject({
    'gen_ai.tool.name': 'file',
    'gen_ai.tool.type': 'function',
    'gen_ai.tool.call.id': 'call_x',
    'swissbrain.step_id': steps.find(({ tool }) => tool === 'file')?.id,
    'swissbrain.cost_micro': 0,
    'error.type': 'file_missing',
  });

  const [agent] = spansOf('invoke_agent');
  expect(agent?.attributes).toMatchObject({
    'gen_ai.agent.name': 'general',
    'gen_ai.request.model': 'one',
    'gen_ai.usage.input_tokens': 2_000,
    'gen_ai.usage.cache_read.input_tokens': 1_800,
    'gen_ai.usage.output_tokens': 20,
    'swissbrain.cost_micro': 342_000,
  });
  for (const span of [failed, asked, answered, tool])
    expect(span?.parentSpanContext?.spanId).toBe(agent?.spanContext().spanId);
  const all = JSON.stringify(
    exporter.getFinishedSpans().map(({ attributes, events }) => [attributes, events]),
  );
  expect(all).not.toContain('swordfish');
});

it('a playbook tells of its tools, of structured answers, pictures and embeddings; waiting is no error', async () => {
  model.conversations = [{ match: 'Answer', turns: [{ text: '{"deep": true}' }] }];
  const schema = { type: 'object', properties: { deep: { type: 'boolean' } }, required: ['deep'] };
  const run = await user.create(
    playbookOf([
      { id: 'ask', tool: 'llm', with: { prompt: 'Answer', schema } },
      { id: 'draw', tool: 'image', with: { prompt: 'a dot', count: 2 } },
      { id: 'keep', tool: 'memory', with: { action: 'save', key: 'k', content: 'c' } },
      { id: 'wait', tool: 'human', with: { question: 'Well?', default: 'yes', timeout_seconds: 1 } },
    ]),
  );
  expect(await user.ended(run.id)).toMatchObject({ status: 'completed' });
  expect(spansOf('chat')[0]?.attributes).toMatchObject({
    'gen_ai.output.type': 'json',
    'gen_ai.request.stream': false,
  });
  expect(spansOf('generate_content')[0]?.attributes).toMatchObject({
    'gen_ai.output.type': 'image',
    'gen_ai.request.model': 'flux',
    'gen_ai.request.choice.count': 2,
  });
  expect(spansOf('embeddings')[0]?.attributes).toMatchObject({
    'gen_ai.request.model': 'nomic',
    'gen_ai.usage.input_tokens': 8,
    'gen_ai.embeddings.dimension.count': 64,
  });
  const tools = spansOf('execute_tool');
  expect(new Set(tools.map(({ name }) => name))).toEqual(
    new Set(['llm', 'image', 'memory', 'human'].map((name) => `execute_tool ${name}`)),
  );
  for (const span of tools) expect([span.name, span.status.code]).toEqual([span.name, 0]);
});
