import { randomUUID } from 'node:crypto';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { systemClock } from '@swissbrain/service-kit/clock';
import { AppError } from '@swissbrain/service-kit/errors';
import { createLogger } from '@swissbrain/service-kit/logger';
import { createRpc } from '@swissbrain/service-kit/rpc';
import { appendToDocument } from '@swissbrain/shared-schema/rpc/collab';
import { callConnector, listConnections } from '@swissbrain/shared-schema/rpc/connectors';
import { createSchedule, listSchedules, pauseSchedule } from '@swissbrain/shared-schema/rpc/scheduler';
import { readResearch, startResearch } from '@swissbrain/shared-schema/rpc/wide-research';
import { type ModelServer, startModelServer } from '@swissbrain/testkit/model-server';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { newUser, playbookOf, type Runner, startRunner, type User } from './support/runner.ts';

let model: ModelServer;
let runner: Runner;
let user: User;
let nats: NatsConnection;
let rpc: ReturnType<typeof createRpc>;
/** What was asked of the services that this test plays, over the real NATS. */
const asked: { method: string; request: unknown; key: string | null }[] = [];

beforeAll(async () => {
  model = await startModelServer();
  runner = await startRunner({
    overrides: { MODEL_BASE_URL: model.url, MODEL_NAME: 'scripted', REMOTE_LOOK_MS: '50' },
  });
  user = await newUser(runner.url);
  nats = await connect({ servers: runner.nats.url });
});
afterAll(async () => {
  await nats?.close();
  await runner?.stop();
  await model?.stop();
});
beforeEach(() => {
  asked.length = 0;
  rpc = createRpc(nats, createLogger({ service: 'test', level: 'silent' }), systemClock);
});
afterEach(async () => {
  await rpc.close();
  await waitFor(async () => (await reasonOf('connector')) !== null && (await reasonOf('collab')) !== null);
});

const reasonOf = async (name: string) => {
  const { items } = (await (await user.request('GET', '/v1/tools')).json()) as {
    items: { name: string; reason: string | null }[];
  };
  return items.find((tool) => tool.name === name)?.reason;
};
const problem = (code: string, status: number, detail: string) =>
  new AppError({ code, status, title: code, detail, retry: 'never', extensions: {} });

const connection = {
  connector: 'mail',
  name: 'Mail',
  account: 'me@example.org',
  usable: true,
  actions: [{ name: 'send', description: 'Sends', access: 'destructive' as const, input_schema: {} }],
};
function playConnectors() {
  rpc.serve(listConnections, async (request, { idempotencyKey: key }) => {
    asked.push({ method: 'connections', request, key });
    return { connections: [connection] };
  });
  rpc.serve(callConnector, async (request, { idempotencyKey: key }) => {
    asked.push({ method: 'call', request, key });
    if (request.access !== 'destructive') throw problem('access_exceeded', 403, '"send" may change more');
    return { upstream_status: 200, output: { sent: true }, truncated: false };
  });
}

it('are offered while their service is there, and GET /v1/tools says why when it is not', async () => {
  expect(await reasonOf('connector')).toContain('the service connectors is not running');
  expect(await reasonOf('wide_research')).toContain('the service wide-research is not running');
  const body = playbookOf([{ id: 'a', tool: 'connector', with: { action: 'list' } }]);
  const refused = await user.request('POST', '/v1/runs', body, { 'idempotency-key': randomUUID() });
  expect([refused.status, await refused.json()]).toMatchObject([422, { code: 'invalid_playbook' }]);
  model.script = [{ text: 'Nothing to do.' }];
  await user.ended((await user.create({ goal: 'Mail', mode: 'automation' })).id);
  expect(model.requests.at(-1)?.tools).not.toContain('connector');

  playConnectors();
  await waitFor(async () => (await reasonOf('connector')) === null);
  expect(await reasonOf('collab')).toContain('the service collab');
  await user.ended((await user.create({ goal: 'Mail', mode: 'automation' })).id);
  expect(model.requests.at(-1)?.tools).toContain('connector');
  expect(asked).toEqual([]);
});

it('act for the run’s own user, under the step as key; what cannot be undone is approved, a ceiling holds', async () => {
  playConnectors();
  await waitFor(async () => (await reasonOf('connector')) === null);
  const send = (access: string) => ({
    calls: [
      {
        name: 'connector',
        input: {
          action: 'call',
          connector: 'mail',
          name: 'send',
          access,
          input: { to: 'x', user_id: randomUUID() },
        },
      },
    ],
  });
  model.script = [
    { calls: [{ name: 'connector', input: { action: 'list' } }] },
    send('read'),
    send('destructive'),
    { text: 'Sent.' },
  ];
  const run = await user.create({ goal: 'Send it', mode: 'automation' });
  const question = await waitFor(async () => {
    const { items } = (await (await user.request('GET', `/v1/runs/${run.id}/questions`)).json()) as {
      items: { id: string; status: string; tool: string }[];
    };
    return items.find(({ status }) => status === 'open');
  });
  expect(question.tool).toBe('connector');
  expect(asked.map(({ method }) => method)).toEqual(['connections', 'call']);
  const path = `/v1/runs/${run.id}/questions/${question.id}/answer`;
  await user.request('POST', path, { answer: 'approve' }, { 'idempotency-key': randomUUID() });
  expect(await user.ended(run.id)).toMatchObject({ status: 'completed' });
  const steps = (await user.steps(run.id)).filter(({ tool }) => tool === 'connector');
  expect(steps.map(({ status, usage }) => [status, usage])).toEqual([
    ['completed', []],
    ['failed', []],
    ['completed', [{ operation: 'connector.call', quantity: '1' }]],
  ]);
  expect(steps[1]?.error).toEqual({ code: 'access_exceeded', message: '"send" may change more' });
  expect(asked[2]).toMatchObject({
    key: steps[2]?.id,
    request: { user_id: user.id, run_id: run.id, step_id: steps[2]?.id, access: 'destructive' },
  });
});

it('start and read research, make and pause schedules, append to documents', async () => {
  const id = randomUUID();
  const note =
    (method: string) =>
    (request: unknown, { idempotencyKey: key }: { idempotencyKey: string | null }) =>
      asked.push({ method, request, key });
  const timing = { kind: 'cron' as const, expression: '0 8 * * 1', time_zone: 'Europe/Zurich' };
  const schedule = { schedule_id: id, name: 'Weekly', timing, status: 'active', next_run_at: null };
  rpc.serve(startResearch, async (...given) => {
    note('start')(...given);
    return { research_id: id, status: 'running', total_items: 2 };
  });
  rpc.serve(readResearch, async () => ({
    status: 'completed',
    total_items: 2,
    completed: 2,
    failed: 0,
    items: [],
  }));
  rpc.serve(createSchedule, async (...given) => {
    note('create')(...given);
    return schedule;
  });
  rpc.serve(listSchedules, async () => ({ schedules: [schedule] }));
  rpc.serve(pauseSchedule, async () => ({ ...schedule, status: 'paused' }));
  rpc.serve(appendToDocument, async () => {
    throw problem('session_missing', 404, 'there is no such document');
  });
  await waitFor(
    async () => (await reasonOf('wide_research')) === null && (await reasonOf('collab')) === null,
  );
  const research = {
    title: 'Lakes',
    item_prompt: 'How deep is {{name}}?',
    output_schema: { type: 'object' },
  };
  const run = await user.create(
    playbookOf([
      {
        id: 'start',
        tool: 'wide_research',
        with: { action: 'start', ...research, items: [{ name: 'Zug' }, { name: 'Thun' }] },
      },
      {
        id: 'read',
        tool: 'wide_research',
        with: { action: 'read', research_id: '${{ steps.start.output.research_id }}' },
      },
      {
        id: 'plan',
        tool: 'schedule',
        with: { action: 'create', name: 'Weekly', timing, goal: 'Look again' },
      },
      { id: 'stop', tool: 'schedule', with: { action: 'pause', schedule_id: id }, needs: ['plan'] },
      { id: 'write', tool: 'collab', with: { session_id: id, text: 'Deep.' }, required: false },
    ]),
  );
  expect(await user.ended(run.id)).toMatchObject({ status: 'completed', steps: { completed: 4, failed: 1 } });
  const [start, read, plan, stop, write] = await user.steps(run.id);
  expect(asked.find(({ method }) => method === 'start')).toMatchObject({
    key: start?.id,
    request: { user_id: user.id, run_id: run.id, ...research },
  });
  expect(asked.find(({ method }) => method === 'create')?.request).toMatchObject({
    user_id: user.id,
    target: { goal: 'Look again' },
  });
  expect([read?.output, plan?.output, stop?.output]).toMatchObject([
    { status: 'completed' },
    { status: 'active' },
    { status: 'paused' },
  ]);
  expect(write?.error).toEqual({ code: 'session_missing', message: 'there is no such document' });
});

it('leave the outcome of what was lost unknown, and name who was not there', async () => {
  let calls = 0;
  rpc.serve(listConnections, async () => ({ connections: [] }));
  rpc.serve(callConnector, async () => {
    calls += 1;
    throw new Error('the database is gone');
  });
  await waitFor(async () => (await reasonOf('connector')) === null);
  const call = { action: 'call', connector: 'mail', name: 'send', access: 'write' };
  const body = playbookOf([{ id: 'a', tool: 'connector', with: call, required: false }]);
  const run = await user.create(body);
  await user.ended(run.id);
  const [step] = await user.steps(run.id);
  expect(step).toMatchObject({ status: 'failed', error: { code: 'internal' }, usage: [] });
  expect(step?.error?.message).toContain('whether it was done is not known');
  expect(calls).toBe(1);
});
