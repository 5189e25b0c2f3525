import { randomUUID } from 'node:crypto';
import type { ReplayView, RunView } from '@swissbrain/shared-schema/http/agent-runner';
import { startModelServer } from '@swissbrain/testkit/model-server';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventsOf } from './support/events.ts';
import { createGate, gateStep } from './support/gate.ts';
import { newUser, playbookOf, type Runner, startRunner, step, type User } from './support/runner.ts';

let runner: Runner;
let user: User;
let model: Awaited<ReturnType<typeof startModelServer>>;
const gate = createGate();
beforeAll(async () => {
  model = await startModelServer();
  runner = await startRunner({
    extraTools: [gate.tool],
    overrides: { MODEL_BASE_URL: model.url, MODEL_NAME: 'scripted' },
  });
  user = await newUser(runner.url);
});
afterAll(async () => {
  await runner?.stop();
  await model?.stop();
});
beforeEach(() => {
  runner.credits.onRequest = () => ({ hold: 100_000_000n });
});

const post = (path: string, body: unknown, { of = user, key = randomUUID() as string } = {}) =>
  of.request('POST', path, body, { 'idempotency-key': key });
async function made(response: Response): Promise<RunView> {
  const text = await response.text();
  expect(response.status, text).toBe(201);
  return JSON.parse(text) as RunView;
}
const began = async (id: string) => {
  const ids = new Set((await user.steps(id)).map((one) => one.id));
  return gate.begun.filter(({ stepId }) => ids.has(stepId)).map(({ name }) => name);
};

describe('a playbook', () => {
  const steps = [
    step('write', `import { writeFileSync } from 'node:fs'; writeFileSync('note.txt', 'kept');`, {
      artifacts: ['note.txt'],
    }),
    { ...gateStep('paid', 'pass', { cost: 2 }), needs: ['write'] },
    { ...gateStep('broken', 'fail'), needs: ['paid'] },
  ];

  it('is retried from the step that failed, with what was done before and its files, billed once', async () => {
    const run = await user.create(playbookOf(steps));
    expect((await user.ended(run.id)).status).toBe('failed');
    const key = randomUUID();
    const again = await made(await post(`/v1/runs/${run.id}/retry`, {}, { key }));
    expect(again).toMatchObject({
      forked_from: run.id,
      root_run_id: again.id,
      steps: { total: 3, completed: 2 },
    });
    expect((await made(await post(`/v1/runs/${run.id}/retry`, {}, { key }))).id).toBe(again.id);
    expect(await user.ended(again.id)).toMatchObject({
      status: 'failed',
      error: { code: 'told_to' },
      credits: { consumed: '0' },
    });
    expect(await began(again.id)).toEqual(['fail']);
    expect((await user.steps(again.id)).map(({ key: name, usage }) => [name, usage.length])).toEqual([
      ['write', 0],
      ['paid', 0],
      ['broken', 0],
    ]);
    const requested = runner.credits.requested.find(({ run_id }) => run_id === again.id);
    expect(requested?.estimate).toEqual([]);
  });

  it('is forked with an edit: what was edited and what waits for it is done again, in a workspace with the files', async () => {
    const run = await user.create(playbookOf(steps));
    await user.ended(run.id);
    const edited = playbookOf([
      ...steps.slice(0, 1),
      { ...gateStep('paid', 'pass', { cost: 3 }), needs: ['write'] },
      step(
        'broken',
        `import { readFileSync } from 'node:fs'; console.log(readFileSync('note.txt', 'utf8'));`,
        {
          needs: ['paid'],
        },
      ),
    ]).playbook;
    const fork = await made(
      await post(`/v1/runs/${run.id}/fork`, { playbook: edited, title: 'edited', budget: '50' }),
    );
    expect(fork).toMatchObject({ title: 'edited', forked_from: run.id, credits: { budget: '50' } });
    expect(await user.ended(fork.id)).toMatchObject({ status: 'completed', steps: { completed: 3 } });
    expect(await began(fork.id)).toEqual(['pass']);
    expect((await user.steps(fork.id)).at(-1)?.output).toMatchObject({ stdout: 'kept\n' });
    expect((await eventsOf(runner.database, fork.id)).at(-1)).toMatchObject({ data: { billable_steps: 2 } });
  });

  it('is done wholly again from its first step', async () => {
    const run = await user.create(playbookOf([gateStep('a', 'pass', { cost: 1 }), gateStep('b', 'pass')]));
    await user.ended(run.id);
    const again = await made(await post(`/v1/runs/${run.id}/retry`, { from_step: 0 }));
    expect(await user.ended(again.id)).toMatchObject({ status: 'completed', credits: { consumed: '1' } });
  });

  it('is replayed without any call, and says where it would differ', async () => {
    const run = await user.create({
      ...playbookOf(
        [gateStep('a', '${{ inputs.n }}', { cost: 1 }), { ...gateStep('b', 'pass'), needs: ['a'] }],
        {
          inputs: { n: { type: 'string', default: 'pass' } },
        },
      ),
    });
    await user.ended(run.id);
    const calls = gate.begun.length;
    const replay = async (body: unknown) => {
      const response = await user.request('POST', `/v1/runs/${run.id}/replay`, body);
      expect(response.status).toBe(200);
      return (await response.json()) as ReplayView;
    };
    expect(await replay({})).toMatchObject({
      same: true,
      first_difference: null,
      steps: [{ verdict: 'recorded', output: { name: 'pass' } }, { verdict: 'recorded' }],
    });
    const other = await replay({ inputs: { n: 'other' } });
    expect(other.first_difference).toBe('a');
    expect(other.steps.map(({ verdict }) => verdict)).toEqual(['differs', 'not_reached']);
    expect(gate.begun.length).toBe(calls);
    const events = await eventsOf(runner.database, run.id);
    expect(events.at(-1)?.type).toBe('run.completed');
  });

  it('is refused where nothing is left, to strangers, and with bodies that make no sense', async () => {
    const run = await user.create(playbookOf([gateStep('a', 'pass')]));
    await user.ended(run.id);
    expect((await post(`/v1/runs/${run.id}/retry`, {})).status).toBe(422);
    expect((await post(`/v1/runs/${run.id}/fork`, { from_step: -1 })).status).toBe(400);
    expect((await post(`/v1/runs/${run.id}/fork`, { nonsense: 1 })).status).toBe(400);
    const unknown = playbookOf([{ id: 'a', tool: 'no-such' }]).playbook;
    expect((await post(`/v1/runs/${run.id}/fork`, { playbook: unknown })).status).toBe(422);
    expect((await user.request('POST', `/v1/runs/${run.id}/retry`, { from_step: 0 })).status).toBe(400);
    const stranger = await newUser(runner.url);
    for (const action of ['fork', 'retry', 'replay']) {
      expect((await post(`/v1/runs/${run.id}/${action}`, {}, { of: stranger })).status).toBe(404);
      expect((await post(`/v1/runs/${randomUUID()}/${action}`, {})).status).toBe(404);
    }
  });
});

describe('a goal', () => {
  it('goes on from a step with the conversation before it, in a run of its own', async () => {
    model.script = [
      { calls: [{ name: 'code', input: { language: 'javascript', code: 'console.log("once")' } }] },
      { text: 'first answer' },
    ];
    const run = await user.create({ goal: 'count' });
    expect(await user.ended(run.id)).toMatchObject({ status: 'completed', output: { text: 'first answer' } });
    const requests = model.requests.length;
    model.script = [{ text: 'second answer' }];
    const fork = await made(await post(`/v1/runs/${run.id}/fork`, { from_step: 2 }));
    expect(await user.ended(fork.id)).toMatchObject({
      status: 'completed',
      output: { text: 'second answer' },
    });
    expect(model.requests.slice(requests)).toHaveLength(1);
    expect(model.requests.at(-1)?.messages).toEqual(model.requests[1]?.messages);
    const steps = await user.steps(fork.id);
    expect(steps.map(({ tool, usage }) => [tool, usage.length > 0])).toEqual([
      ['llm', false],
      ['code', false],
      ['llm', true],
    ]);
    expect((await post(`/v1/runs/${run.id}/retry`, {})).status).toBe(422);
  });

  it('asks its user by the human tool and goes on with the answer', async () => {
    model.script = [
      { calls: [{ name: 'human', input: { question: 'Which colour?', choices: ['red', 'blue'] } }] },
      { text: 'painted' },
    ];
    const run = await user.create({ goal: 'paint' });
    const waiting = async () => (await user.run(run.id)).status === 'waiting_input';
    await expect.poll(waiting, { timeout: 30_000 }).toBe(true);
    const listed = await user.request('GET', `/v1/runs/${run.id}/questions`);
    const [question] = ((await listed.json()) as { items: { id: string }[] }).items;
    const path = `/v1/runs/${run.id}/questions/${question?.id}/answer`;
    expect((await post(path, { answer: 'blue' })).status).toBe(200);
    expect(await user.ended(run.id)).toMatchObject({ status: 'completed', output: { text: 'painted' } });
    expect(JSON.stringify(model.requests.at(-1)?.messages)).toContain('blue');
  });
});
