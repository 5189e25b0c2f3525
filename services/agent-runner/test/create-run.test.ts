import { randomUUID } from 'node:crypto';
import { toolList } from '@swissbrain/shared-schema/http/agent-runner';
import { mintToken, testSecret } from '@swissbrain/testkit/tokens';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGate, gateStep } from './support/gate.ts';
import { newUser, playbookOf, type Runner, startRunner, type User } from './support/runner.ts';

let runner: Runner;
let user: User;
let other: User;
const gate = createGate();
beforeAll(async () => {
  runner = await startRunner({ extraTools: [gate.tool] });
  [user, other] = await Promise.all([newUser(runner.url), newUser(runner.url)]);
});
afterAll(() => runner?.stop());

interface Problem {
  readonly code: string;
  readonly detail: string;
  readonly step?: string | null;
  readonly problem?: string;
}
const post = (body: unknown, headers: Record<string, string> = { 'idempotency-key': randomUUID() }) =>
  user.request('POST', '/v1/runs', body, headers);
async function problem(response: Response, status: number): Promise<Problem> {
  const text = await response.text();
  expect(response.status, text).toBe(status);
  expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  return JSON.parse(text) as Problem;
}
const good = playbookOf([gateStep('a', 'pass')]);
const runCount = async () =>
  (await runner.database.query<{ n: bigint }>('select count(*) as n from agent_runs'))[0]?.n;

describe('a playbook that cannot run is refused, naming the step', () => {
  const code = (id: string, more: Record<string, unknown> = {}) => ({
    id,
    tool: 'code',
    with: { language: 'javascript', code: '1', ...more },
  });
  it.each([
    ['unknown_tool', 'b', [gateStep('a', 'pass'), { id: 'b', tool: 'magic' }]],
    ['unknown_reference', 'b', [{ id: 'b', tool: 'gate', with: { name: '${{ steps.nope.output }}' } }]],
    ['unknown_input', 'b', [{ id: 'b', tool: 'gate', with: { name: '${{ inputs.nope }}' } }]],
    ['unknown_need', 'b', [gateStep('b', 'pass', { needs: ['nope'] })]],
    ['duplicate_step_id', 'b', [gateStep('b', 'pass'), gateStep('b', 'pass')]],
    ['cycle', 'b', [gateStep('b', 'pass', { needs: ['c'] }), gateStep('c', 'pass', { needs: ['b'] })]],
    ['bad_reference', 'b', [{ id: 'b', tool: 'gate', with: { name: '${{ what is this }}' } }]],
    ['bad_input', 'b', [code('b', { language: 'cobol' })]],
    ['bad_input', 'b', [code('b', { timeout_seconds: 'long' })]],
    ['bad_input', 'b', [code('b', { surprise: 1 })]],
    ['bad_input', 'b', [{ id: 'b', tool: 'file', with: { action: 'read', path: '../../etc/passwd' } }]],
    ['bad_input', 'b', [{ id: 'b', tool: 'llm', with: { prompt: 'hello' } }]],
  ])('%s', async (kind, step, steps) => {
    const before = await runCount();
    const found = await problem(await post(playbookOf(steps)), 422);
    expect(found).toMatchObject({ code: 'invalid_playbook', problem: kind, step });
    expect(found.detail).toContain(`"${step}"`);
    expect(await runCount()).toBe(before);
  });

  it('takes a reference where a number is expected', async () => {
    const steps = [gateStep('a', 'pass'), code('b', { timeout_seconds: '${{ steps.a.output.seconds }}' })];
    expect((await post(playbookOf(steps))).status).toBe(201);
  });
});

describe('a body of the wrong shape is refused, naming the field', () => {
  const bodies: [string, unknown, number][] = [
    ['not JSON', '{"playbook":', 400],
    ['an array', [], 400],
    ['steps that are no list', { playbook: { name: 'x', steps: 'all' } }, 400],
    ['no steps', { playbook: { name: 'x', steps: [] } }, 400],
    ['a step without an id', { playbook: { name: 'x', steps: [{ tool: 'gate' }] } }, 400],
    ['an id that is no identifier', playbookOf([gateStep('a b', 'pass')]), 400],
    ['an artifact outside the workspace', playbookOf([gateStep('a', 'pass', { artifacts: ['../x'] })]), 400],
    ['an unknown member', { ...good, surprise: true }, 400],
    ['a budget that is no amount', { ...good, budget: '1e9' }, 400],
    ['a negative budget', { ...good, budget: '-1' }, 400],
    ['an input of a wrong type', { ...good, inputs: { a: null } }, 400],
    ['a file that is not base64', { ...good, inputs: { a: { filename: 'a', content_base64: '***' } } }, 400],
    ['a file with a path', { ...good, inputs: { a: { filename: '../a', content_base64: '' } } }, 400],
    ['an input that is not declared', { ...good, inputs: { a: 1 } }, 422],
    ['a missing input', playbookOf([gateStep('a', 'pass')], { inputs: { x: { type: 'number' } } }), 422],
    ['neither playbook nor goal', {}, 422],
    ['both', { ...good, goal: 'all of it' }, 422],
  ];
  it.each(bodies)('%s', async (_name, body, status) => {
    const before = await runCount();
    await problem(await post(body), status);
    expect(await runCount()).toBe(before);
  });

  it('an oversized body', async () => {
    const content = 'A'.repeat(11 * 1024 * 1024);
    await problem(await post({ ...good, inputs: { a: { filename: 'a', content_base64: content } } }), 413);
  });
});

describe('a goal without a model', () => {
  it('is refused, saying what to set, and nothing is held', async () => {
    const asked = runner.credits.requested.length;
    const found = await problem(await post({ goal: 'make me rich' }), 422);
    expect(found.code).toBe('model_not_configured');
    expect(found.detail).toMatch(/MODEL_NAME.*MODEL_BASE_URL.*ANTHROPIC_API_KEY/);
    expect(runner.credits.requested).toHaveLength(asked);
  });

  it('is explained by the list of tools', async () => {
    const list = toolList.parse(await (await user.request('GET', '/v1/tools')).json());
    expect(list.items.map((tool) => [tool.name, tool.available])).toEqual([
      ['code', true],
      ['file', true],
      ['human', true],
      ['agent', true],
      ['llm', false],
      ['memory', true],
      ['search', false],
      ['image', false],
      ['browser', false],
      ['connector', false],
      ['wide_research', false],
      ['schedule', false],
      ['collab', false],
      ['gate', true],
    ]);
    expect(list.items[4]?.reason).toContain('MODEL_NAME');
    expect(list.items[0]).toMatchObject({
      effect: 'write',
      resume: 'lookup',
      charged_as: ['code.execution'],
      input_schema: { type: 'object' },
    });
  });
});

describe('Idempotency-Key', () => {
  it('is required', async () => {
    expect(await problem(await post(good, {}), 400)).toMatchObject({ code: 'idempotency_key_required' });
  });

  it('gives the same run for the same body, also to two at once', async () => {
    const key = { 'idempotency-key': randomUUID() };
    const answers = await Promise.all([post(good, key), post(good, key), post(good, key)]);
    const runs = (await Promise.all(answers.map((answer) => answer.json()))) as { id: string }[];
    expect(answers.map((answer) => answer.status)).toEqual([201, 201, 201]);
    expect(new Set(runs.map((run) => run.id)).size).toBe(1);
    expect(answers.filter((answer) => answer.headers.get('idempotency-replayed') === 'true')).toHaveLength(2);
    expect(
      runner.credits.requested.filter((request) => request.run_id === runs[0]?.id).length,
    ).toBeLessThanOrEqual(1);
  });

  it('refuses another body, and is another user’s to use', async () => {
    const key = { 'idempotency-key': randomUUID() };
    const first = (await (await post(good, key)).json()) as { id: string };
    expect(await problem(await post({ ...good, title: 'other' }, key), 409)).toMatchObject({
      code: 'idempotency_key_reused',
    });
    const theirs = (await (await other.request('POST', '/v1/runs', good, key)).json()) as { id: string };
    expect(theirs.id).not.toBe(first.id);
  });
});

describe('access', () => {
  const routes = (id: string): [string, string][] => [
    ['GET', `/v1/runs/${id}`],
    ['GET', `/v1/runs/${id}/steps`],
    ['GET', `/v1/runs/${id}/artifacts`],
    ['GET', `/v1/runs/${id}/messages`],
    ['GET', `/v1/runs/${id}/events`],
    ['POST', `/v1/runs/${id}/cancel`],
  ];

  it('to another user’s run is the same as to none', async () => {
    const run = await user.create(good);
    for (const [method, path] of routes(run.id)) {
      const theirs = await problem(await other.request(method, path), 404);
      const [, missingPath] = routes(randomUUID()).find(
        ([, candidate]) => candidate.split('/')[4] === path.split('/')[4],
      ) ?? ['', ''];
      const missing = await problem(await other.request(method, missingPath), 404);
      expect(theirs.code).toBe('run_not_found');
      expect(missing.code).toBe('run_not_found');
    }
    expect((await user.ended(run.id)).status).toBe('completed');
    const theirs = (await (await other.request('GET', '/v1/runs')).json()) as { items: { id: string }[] };
    expect(theirs.items.map((item) => item.id)).not.toContain(run.id);
  });

  it.each([
    ['no token', async () => undefined],
    ['an expired one', () => mintToken({ expiresIn: '-1m' })],
    ['a forged one', () => mintToken({ secret: `${testSecret} not` })],
    ['one without a subject', () => mintToken({ sub: null })],
    ['one whose subject is no user id', () => mintToken({ sub: 'root' })],
  ])('with %s is refused everywhere', async (_name, make) => {
    const token = await make();
    const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
    const all = [
      ...routes(randomUUID()),
      ['GET', '/v1/runs'],
      ['POST', '/v1/runs'],
      ['GET', '/v1/tools'],
      ['GET', `/v1/artifacts/${randomUUID()}`],
    ] as const;
    for (const [method, path] of all) {
      const response = await fetch(new URL(path, runner.url), { method, headers });
      expect(await problem(response, 401), path).toMatchObject({ code: 'unauthorized' });
    }
  });

  it('refuses ids, cursors and numbers that are none', async () => {
    const bad = [
      '/v1/runs/1',
      '/v1/runs/1/steps',
      '/v1/runs?limit=0',
      '/v1/runs?limit=101',
      '/v1/runs?status=done',
      '/v1/runs?cursor=x',
      '/v1/artifacts/1',
    ];
    for (const path of bad) await problem(await user.request('GET', path), 400);
    const run = await user.create(good);
    for (const query of ['after=x', 'after=-2', 'limit=0', 'limit=501']) {
      await problem(await user.request('GET', `/v1/runs/${run.id}/steps?${query}`), 400);
    }
    await problem(await user.request('GET', `/v1/runs/${run.id}/events?after=-1`), 400);
    await problem(
      await user.request('GET', `/v1/runs/${run.id}/events`, undefined, { 'last-event-id': 'x' }),
      400,
    );
  });
});

describe('lists', () => {
  it('page through every run once, newest first, and filter by status', async () => {
    const lister = await newUser(runner.url);
    const made: string[] = [];
    for (let n = 0; n < 5; n += 1) made.push((await lister.create(good)).id);
    await Promise.all(made.map((id) => lister.ended(id)));
    const seen: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const query: string = cursor === '' ? '' : `&cursor=${cursor}`;
      const page = (await (await lister.request('GET', `/v1/runs?limit=2${query}`)).json()) as {
        items: { id: string }[];
        next_cursor: string | null;
      };
      seen.push(...page.items.map((item) => item.id));
      cursor = page.next_cursor;
    }
    expect(seen).toEqual(made.toReversed());
    const none = (await (await lister.request('GET', '/v1/runs?status=failed')).json()) as {
      items: unknown[];
    };
    expect(none.items).toEqual([]);
  });

  it('page through steps by number', async () => {
    const run = await user.create(playbookOf(['a', 'b', 'c'].map((id) => gateStep(id, 'pass'))));
    const page = (await (await user.request('GET', `/v1/runs/${run.id}/steps?limit=2`)).json()) as {
      items: { key: string }[];
      next_after: number;
    };
    expect([page.items.map((item) => item.key), page.next_after]).toEqual([['a', 'b'], 1]);
    const rest = (await (await user.request('GET', `/v1/runs/${run.id}/steps?limit=2&after=1`)).json()) as {
      items: { key: string }[];
      next_after: null;
    };
    expect([rest.items.map((item) => item.key), rest.next_after]).toEqual([['c'], null]);
  });
});

describe('dead letters', () => {
  it('are shown to operators alone', async () => {
    const read = (claims: Readonly<Record<string, unknown>>) =>
      mintToken({ claims }).then((token) =>
        fetch(`${runner.url}/v1/admin/dead-letters`, { headers: { authorization: `Bearer ${token}` } }),
      );
    expect((await read({})).status).toBe(403);
    expect(await (await read({ scope: 'operator' })).json()).toEqual({ items: [], next_cursor: null });
  });
});
