import { type UsageView, usageView } from '@swissbrain/shared-schema/http/usage';
import { type ModelServer, startModelServer } from '@swissbrain/testkit/model-server';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createGate, gateStep } from './support/gate.ts';
import { newUser, playbookOf, type Runner, startRunner, type User } from './support/runner.ts';

let model: ModelServer;
let runner: Runner;
const gate = createGate();
beforeAll(async () => {
  model = await startModelServer();
  runner = await startRunner({
    extraTools: [gate.tool],
    overrides: { MODEL_BASE_URL: model.url, MODEL_NAME: 'scripted', MODEL_CONTEXT_TOKENS: '400000' },
  });
});
afterAll(async () => {
  await runner?.stop();
  await model?.stop();
});
beforeEach(() => {
  model.reset();
  runner.credits.onExtend = () => ({ status: 'extended', held_micro: '900000000' });
});

const used = async (user: User, path: string): Promise<UsageView> => {
  const answer = await user.request('GET', path);
  expect(answer.status).toBe(200);
  return usageView.parse(await answer.json());
};

describe('usage', () => {
  it('is added up by model and tool, of a run with those below it, and of all runs of a user', async () => {
    const user = await newUser(runner.url);
    const tokens = { fresh: 700, cacheRead: 200, cacheWrite: 0, output: 50 };
    model.conversations = [
      {
        match: 'parent',
        turns: [
          { calls: [{ name: 'agent', input: { goal: 'a child' } }], tokens },
          { text: 'done', tokens },
        ],
      },
      { match: 'a child', turns: [{ text: 'e'.repeat(70_000), tokens }] },
    ];
    const run = await user.create({ goal: 'parent' });
    expect((await user.ended(run.id)).status).toBe('completed');
    const tree = await used(user, `/v1/runs/${run.id}/usage`);
    expect(tree).toMatchObject({ run_id: run.id, from: null, runs: 2, steps: 4 });
    expect(tree.models).toEqual([
      {
        ...{
          model: 'scripted',
          calls: 3,
          input_tokens: 2_100,
          cache_read_tokens: 600,
          cache_write_tokens: 0,
        },
        ...{ output_tokens: 150, credits: tree.credits },
      },
    ]);
    expect(tree.tools).toEqual([
      { tool: 'llm', steps: 4, failed: 0, duration_ms: expect.any(Number), credits: tree.credits },
    ]);
    const alone = await used(user, `/v1/runs/${run.id}/usage?tree=false`);
    expect(alone).toMatchObject({ runs: 1, steps: 3, models: [{ calls: 2, input_tokens: 1_400 }] });
    expect(alone.credits).toBe((await user.run(run.id)).credits.consumed);

    const playbook = await user.create(
      playbookOf([
        gateStep('a', 'pass', { cost: 2 }),
        { ...gateStep('b', 'fail', { cost: 1 }), required: false },
      ]),
    );
    await user.ended(playbook.id);
    const all = await used(user, '/v1/usage');
    expect(all).toMatchObject({ run_id: null, runs: 3, steps: 6, models: tree.models });
    expect(all.tools.find(({ tool }) => tool === 'connector')).toMatchObject({
      steps: 2,
      failed: 1,
      credits: '3',
    });
    expect(Number(all.credits)).toBeCloseTo(Number(tree.credits) + 3, 6);
    const before = `from=2026-01-01T00:00:00Z&to=${encodeURIComponent('2026-01-02T00:00:00Z')}`;
    expect(await used(user, `/v1/usage?${before}`)).toMatchObject({
      runs: 0,
      steps: 0,
      credits: '0',
      models: [],
      tools: [],
    });
  });

  it('is nobody else’s to see, and of a time that can be', async () => {
    const [user, other] = [await newUser(runner.url), await newUser(runner.url)];
    const run = await user.create(playbookOf([gateStep('a', 'pass', { cost: 1 })]));
    await user.ended(run.id);
    expect((await other.request('GET', `/v1/runs/${run.id}/usage`)).status).toBe(404);
    expect(await used(other, '/v1/usage')).toMatchObject({ runs: 0, credits: '0' });
    for (const range of ['from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z', 'from=2020-01-01T00:00:00Z']) {
      expect((await user.request('GET', `/v1/usage?${range}`)).status).toBe(422);
    }
    expect((await user.request('GET', '/v1/usage?from=yesterday')).status).toBe(400);
  });
});
