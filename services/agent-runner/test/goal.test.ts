import { runDelta } from '@swissbrain/shared-schema/http/agent-runner';
import { type ModelServer, startModelServer } from '@swissbrain/testkit/model-server';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventsOf, storyOf } from './support/events.ts';
import { newUser, playbookOf, type Runner, startRunner, type User } from './support/runner.ts';

let model: ModelServer;
let runner: Runner;
let user: User;
beforeAll(async () => {
  model = await startModelServer();
  runner = await startRunner({
    overrides: {
      MODEL_BASE_URL: model.url,
      MODEL_NAME: 'scripted',
      MODEL_API_KEY: 'a key',
      MODEL_MAX_OUTPUT_TOKENS: '500',
      MODEL_TIMEOUT_SECONDS: '60',
      GOAL_MAX_STEPS: '4',
    },
  });
  user = await newUser(runner.url);
});
afterAll(async () => {
  await runner?.stop();
  await model?.stop();
});
beforeEach(() => {
  model.reset();
  runner.credits.onRequest = () => ({ hold: 100_000_000n });
});

const code = (text: string) => ({ calls: [{ name: 'code', input: { language: 'javascript', code: text } }] });
const messagesOf = async (id: string) =>
  (
    (await (await user.request('GET', `/v1/runs/${id}/messages`)).json()) as {
      items: { role: string; content: unknown }[];
    }
  ).items;

describe('a goal', () => {
  it('is worked on with code and files until the model answers in words', async () => {
    model.script = [
      {
        text: 'First the numbers.',
        calls: [
          {
            name: 'code',
            input: {
              language: 'javascript',
              code: `import { readFileSync } from 'node:fs'; console.log(readFileSync('inputs/n.txt', 'utf8') * 2)`,
            },
          },
          { name: 'file', input: { action: 'write', path: 'artifacts/answer.txt', content: '42' } },
        ],
      },
      { text: 'It is 42; see artifacts/answer.txt.' },
    ];
    const run = await user.create({
      goal: 'Double the number',
      inputs: { n: { filename: 'n.txt', content_base64: Buffer.from('21').toString('base64') } },
    });
    const ended = await user.ended(run.id);
    expect(ended).toMatchObject({
      status: 'completed',
      mode: 'general',
      title: 'Double the number',
      output: { text: 'It is 42; see artifacts/answer.txt.' },
      steps: { total: 4, completed: 4 },
    });
    const steps = await user.steps(run.id);
    expect(steps.map((step) => [step.key, step.tool])).toEqual([
      ['model-1', 'llm'],
      ['call-1-0', 'code'],
      ['call-1-1', 'file'],
      ['model-4', 'llm'],
    ]);
    expect(steps[0]?.usage).toEqual([
      { operation: 'llm.scripted.input', quantity: '1000' },
      { operation: 'llm.scripted.output', quantity: '100' },
    ]);
    expect(steps[0]?.cost).toBe('0.36');
    expect(
      (await user.artifacts(run.id)).filter((file) => file.kind === 'output').map((file) => file.name),
    ).toEqual(['artifacts/answer.txt']);

    expect(model.requests[0]).toMatchObject({ authorization: 'Bearer a key', model: 'scripted' });
    expect(model.requests[0]?.tools).toEqual(['code', 'file', 'human', 'agent', 'memory']);
    expect(model.requests[0]?.messages.map((message) => message.role)).toEqual(['system', 'user']);
    const second = model.requests[1]?.messages ?? [];
    expect(second.map((message) => message.role)).toEqual(['system', 'user', 'assistant', 'tool', 'tool']);
    expect(String(second[3]?.content)).toContain('42\\n');
    expect((await messagesOf(run.id)).map((message) => message.role)).toEqual([
      'user',
      'assistant',
      'tool',
      'tool',
      'assistant',
    ]);
    expect((await eventsOf(runner.database, run.id)).at(-1)).toMatchObject({
      type: 'run.completed',
      data: { billable_steps: 4 },
    });
  });

  it('goes on after a tool has failed or was asked for the impossible; the model is told', async () => {
    model.script = [
      code('process.exit(9)'),
      {
        calls: [
          { name: 'code', input: { language: 'fortran' } },
          { name: 'launch_rockets', input: {} },
          { name: 'code', input: '{"broken' },
        ],
      },
      { text: 'I give up.' },
    ];
    const run = await user.create({ goal: 'Fail well' });
    expect(await user.ended(run.id)).toMatchObject({
      status: 'completed',
      output: { text: 'I give up.' },
      steps: { failed: 1 },
    });
    const told = (model.requests.at(-1)?.messages ?? [])
      .filter((message) => message.role === 'tool')
      .map((message) => String(message.content));
    expect(told).toHaveLength(4);
    expect(told[0]).toContain('exit code 9');
    expect(told[2]).toContain('launch_rockets');
  });

  it('fails with the reason when the model server refuses, after retries where they help', async () => {
    model.script = [{ status: 401, body: '{"error":{"message":"bad key"}}' }];
    const refused = await user.create({ goal: 'x' });
    expect(await user.ended(refused.id)).toMatchObject({
      status: 'failed',
      error: { code: 'model_unauthorized' },
    });
    expect(model.requests).toHaveLength(1);
    expect((await storyOf(runner.database, refused.id)).slice(-2)).toEqual(['step.failed', 'run.failed']);

    model.reset();
    model.script = [{ status: 500, body: 'oops' }, { text: 'better' }];
    const retried = await user.create({ goal: 'x' });
    expect(await user.ended(retried.id)).toMatchObject({ status: 'completed', output: { text: 'better' } });
    expect(model.requests).toHaveLength(2);
  });

  it('ends at the limit of its steps, and at the limit of its money', async () => {
    model.script = [code('1')];
    const endless = await user.create({ goal: 'never done' });
    expect(await user.ended(endless.id)).toMatchObject({
      status: 'failed',
      error: { code: 'max_steps_reached' },
    });
    expect(model.requests).toHaveLength(4);

    runner.credits.onRequest = () => ({ hold: 1_000_000n });
    const poor = await user.create({ goal: 'too dear' });
    await waitFor(async () => (await user.run(poor.id)).status === 'paused', { describe: 'the pause' });
    expect(await user.run(poor.id)).toMatchObject({ pause_reason: 'credits' });
  });

  it('says live, to those who follow, what the model says; what is kept is in its messages', async () => {
    const text = 'Bern is the capital of Switzerland, and lies on the river Aare. '.repeat(20);
    model.script = [{ text: text.trim(), delayMs: 1_000 }];
    const run = await user.create({ goal: 'Where is Bern?' });
    const response = await user.request('GET', `/v1/runs/${run.id}/events`);
    const frames = (await response.text()).split('\n\n');
    const said = frames
      .filter((frame) => frame.startsWith('event: delta'))
      .map((frame) => runDelta.parse(JSON.parse(frame.slice(frame.indexOf('{')))));
    expect(said.map((delta) => delta.text).join('')).toBe(text.trim());
    expect(said.every((delta) => delta.run_id === run.id && delta.attempt === 1)).toBe(true);
    expect(frames.some((frame) => /^id: \d+\nevent: delta/.test(frame))).toBe(false);
    expect(await user.ended(run.id)).toMatchObject({ output: { text: text.trim() } });
  });

  it('can be cancelled while the model thinks; the call is not billed', async () => {
    model.script = ['hang'];
    const run = await user.create({ goal: 'think for ever' });
    await waitFor(() => model.requests.length === 1, { describe: 'the call' });
    await user.request('POST', `/v1/runs/${run.id}/cancel`);
    expect(await user.ended(run.id)).toMatchObject({ status: 'cancelled', credits: { consumed: '0' } });
  });
});

describe('the llm tool', () => {
  it('answers a step of a playbook', async () => {
    model.script = [{ text: 'Bern' }];
    const run = await user.create(
      playbookOf([
        { id: 'ask', tool: 'llm', with: { system: 'Be brief.', prompt: 'The capital of Switzerland?' } },
        {
          id: 'note',
          tool: 'file',
          with: { action: 'write', path: 'a.txt', content: '${{ steps.ask.output.text }}!' },
          artifacts: ['a.txt'],
        },
      ]),
    );
    expect(await user.ended(run.id)).toMatchObject({ status: 'completed' });
    expect((await user.artifacts(run.id))[0]).toMatchObject({ name: 'a.txt', size_bytes: 5 });
    expect(model.requests[0]?.messages.map((message) => message.content)).toEqual([
      'Be brief.',
      'The capital of Switzerland?',
    ]);
  });
});
