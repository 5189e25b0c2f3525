import { readdir } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { readEndpoint } from '@swissbrain/sandbox-runtime/session-directory';
import type { RunView } from '@swissbrain/shared-schema/http/agent-runner';
import { type ModelServer, startModelServer } from '@swissbrain/testkit/model-server';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { findBrowser } from '../src/tools/browser/browser-place.ts';
import type { Tool } from '../src/tools/tool.ts';
import { eventsOf, storyOf } from './support/events.ts';
import { createGate, gateStep } from './support/gate.ts';
import { newUser, playbookOf, type Runner, startRunner, step, type User } from './support/runner.ts';

let runner: Runner;
let user: User;
let model: ModelServer;
/** A page that never comes. */
let slowSite: Server;
const gate = createGate();
/** The gate as a tool that takes nothing back. */
const wipe: Tool = { ...gate.tool, name: 'wipe', effect: 'destructive' } as Tool;
const { PATH = '', BROWSER_CHROMIUM_PATH } = process.env;
const browser = findBrowser({ SANDBOX_DRIVER: 'local', PATH, BROWSER_CHROMIUM_PATH });

beforeAll(async () => {
  model = await startModelServer();
  slowSite = createServer(() => {});
  await new Promise<void>((resolve) => slowSite.listen(0, '127.0.0.1', resolve));
  // A lease far beyond the bound of a cancel: no end that is seen here has waited for it.
  runner = await startRunner({
    extraTools: [gate.tool, wipe],
    overrides: {
      ...{ RUN_LEASE_SECONDS: '600', RUN_CANCEL_SECONDS: '1', RUN_HOLD_HEARTBEAT_MS: '60000' },
      ...{ MODEL_BASE_URL: model.url, MODEL_NAME: 'scripted' },
      ...(BROWSER_CHROMIUM_PATH ? { BROWSER_CHROMIUM_PATH } : {}),
    },
  });
  user = await newUser(runner.url);
});
beforeEach(() => {
  runner.credits.onExtend = () => ({ status: 'extended', held_micro: '0' });
});
afterAll(async () => {
  await runner?.stop();
  await model?.stop();
  slowSite?.closeAllConnections();
  slowSite?.close();
});

const cancel = async (id: string) => {
  const response = await user.request('POST', `/v1/runs/${id}/cancel`);
  expect(response.status).toBe(200);
};
const inState = (id: string, ...statuses: RunView['status'][]) =>
  waitFor(async () => statuses.includes((await user.run(id)).status), {
    timeoutMs: 30_000,
    describe: `run ${id} to be ${statuses.join(' or ')}`,
  });
const sessionsOf = async (id: string) =>
  (await readdir(`${runner.directory}/sandboxes`).catch(() => [])).filter((name) => name.startsWith(id));
/** As a worker leaves a run that was killed: leased for long to nobody who lives. */
const orphan = (id: string, status = 'running') =>
  runner.database.query(
    `update agent_runs set lease_owner = 'dead', attempt = attempt + 1, lease_until = now() + interval '1 hour',
       status = $2::agent_run_status where id = $1`,
    [id, status],
  );

let number = 0;
/** A run that has used the sandbox, with one billed step done, and waits in a call that does not end. */
async function startBusy(): Promise<RunView> {
  number += 1;
  const name = `busy-${number}`;
  const run = await user.create(
    playbookOf([
      step('first', 'console.log(1)'),
      { ...gateStep('stuck', name, { cost: 5 }), needs: ['first'] },
      { ...gateStep('after', 'pass', { cost: 5 }), needs: ['stuck'] },
    ]),
  );
  await waitFor(() => gate.begun.some((call) => call.name === name), { describe: 'the call' });
  expect(await sessionsOf(run.id)).toHaveLength(1);
  return run;
}
async function startWaiting(): Promise<RunView> {
  const run = await user.create(
    playbookOf([
      step('first', 'console.log(1)'),
      { id: 'ask', tool: 'human', with: { question: 'Which?' }, needs: ['first'] },
    ]),
  );
  await inState(run.id, 'waiting_input');
  return run;
}

const childrenOf = async (id: string) =>
  (
    await runner.database.query<{ id: string }>('select id from agent_runs where parent_run_id = $1', [id])
  ).map((row) => row.id);
/** A run whose last step is this one, begun after one that has used the sandbox. */
const after = (step2: Record<string, unknown>) =>
  user.create(playbookOf([step('first', 'console.log(1)'), { ...step2, needs: ['first'] }]));
/** A run that waits for one below it, which has a sandbox of its own and does this. */
async function startParent(
  steps: readonly Record<string, unknown>[],
  begun: (child: string) => Promise<unknown>,
): Promise<RunView> {
  const playbook = { name: 'below', steps: [step('own', 'console.log(2)'), ...steps] };
  const run = await after({ id: 'part', tool: 'agent', with: { playbook } });
  await inState(run.id, 'waiting_input');
  const [child = ''] = await childrenOf(run.id);
  await begun(child);
  return run;
}

const states: Readonly<Record<string, { readonly billed: number; start(): Promise<RunView> }>> = {
  pending: {
    billed: 0,
    async start() {
      const { onRequest } = runner.credits;
      runner.credits.onRequest = () => 'wait';
      const run = await user.create(playbookOf([gateStep('a', 'pass', { cost: 1 })]));
      await waitFor(() => runner.credits.requested.some(({ run_id }) => run_id === run.id));
      runner.credits.onRequest = onRequest;
      return run;
    },
  },
  queued: {
    billed: 0,
    async start() {
      const run = await states['pending']?.start();
      if (!run) throw new Error('no run');
      // In the line, and offered to a worker that never comes.
      await runner.database.query(
        `update agent_runs set status = 'queued', lease_owner = 'dispatch/dead', lease_until = now() + interval '1 hour'
         where id = $1`,
        [run.id],
      );
      return run;
    },
  },
  'planning, worker dead': {
    billed: 1,
    async start() {
      const run = await startBusy();
      await orphan(run.id, 'planning');
      return run;
    },
  },
  'running, worker alive': { billed: 1, start: startBusy },
  'running, worker dead': {
    billed: 1,
    async start() {
      const run = await startBusy();
      await orphan(run.id);
      return run;
    },
  },
  'running, to be paused': {
    billed: 1,
    async start() {
      const run = await startBusy();
      await user.request('POST', `/v1/runs/${run.id}/pause`);
      return run;
    },
  },
  waiting_input: { billed: 1, start: startWaiting },
  'waiting_input, its sandbox left as it was': {
    billed: 1,
    async start() {
      const run = await startBusy();
      await orphan(run.id);
      await runner.database.query(
        `update agent_runs set status = 'waiting_input', idle_since = now(), lease_owner = null, lease_until = null where id = $1`,
        [run.id],
      );
      return run;
    },
  },
  'waiting for an approval': {
    billed: 1,
    async start() {
      const run = await after({ id: 'wipe', tool: 'wipe', with: { name: 'never', cost: 5 } });
      await inState(run.id, 'waiting_input');
      return run;
    },
  },
  'waiting for a run below it that works': {
    billed: 1,
    async start() {
      number += 1;
      const name = `below-${number}`;
      const working = { ...gateStep('stuck', name, { cost: 5 }), needs: ['own'] };
      return startParent([working], () =>
        waitFor(() => gate.begun.some((call) => call.name === name), { describe: 'the call below' }),
      );
    },
  },
  'waiting for a run below it that waits for its user': {
    billed: 1,
    start: () =>
      startParent([{ id: 'ask', tool: 'human', with: { question: 'Which?' }, needs: ['own'] }], (child) =>
        inState(child, 'waiting_input'),
      ),
  },
  'waiting for the model': {
    billed: 2,
    async start() {
      model.reset();
      model.script = [
        { calls: [{ name: 'code', input: { language: 'javascript', code: 'console.log(1)' } }] },
        'hang',
      ];
      const run = await user.create({ goal: 'wait' });
      await waitFor(() => model.requests.length === 2, { describe: 'the second call of the model' });
      return run;
    },
  },
  'between two tries of a call': {
    billed: 1,
    async start() {
      const retry = { attempts: 5, backoff_seconds: 60 };
      const run = await after(gateStep('shaky', 'fail', { cost: 5, retry }));
      await waitFor(async () => (await user.steps(run.id))[1]?.tries.length === 1, { describe: 'a failure' });
      return run;
    },
  },
  'paused for want of credits': {
    billed: 1,
    async start() {
      runner.credits.onExtend = () => ({ status: 'insufficient', held_micro: '0' });
      const run = await after(gateStep('dear', 'pass', { cost: 1_000 }));
      await inState(run.id, 'paused');
      expect(await user.run(run.id)).toMatchObject({ pause_reason: 'credits' });
      return run;
    },
  },
  'running, its sandbox just lost': {
    billed: 1,
    async start() {
      const run = await after(step('slow', 'setInterval(() => {}, 1000)'));
      await waitFor(async () => (await user.steps(run.id))[1]?.status === 'running');
      const endpoint = readEndpoint(join(runner.directory, 'sandboxes', `${run.id}-1`));
      process.kill(endpoint?.pid ?? Number.NaN, 'SIGKILL');
      return run;
    },
  },
  'running, with its sandbox lost before': {
    billed: 1,
    async start() {
      const run = await states['running, its sandbox just lost']?.start();
      if (!run) throw new Error('no run');
      const lost = async () => (await storyOf(runner.database, run.id)).includes('run.session_lost');
      await waitFor(lost, { describe: 'the loss' });
      return run;
    },
  },
  paused: {
    billed: 1,
    async start() {
      const run = await startWaiting();
      await user.request('POST', `/v1/runs/${run.id}/pause`);
      await inState(run.id, 'paused');
      return run;
    },
  },
};

async function expectCancelled(run: RunView, billed: number): Promise<void> {
  for (const child of await childrenOf(run.id)) await expectCancelled(await user.run(child), 1);
  expect(await user.ended(run.id)).toMatchObject({ status: 'cancelled', error: null, steps: { open: 0 } });
  await waitFor(async () => (await sessionsOf(run.id)).length === 0, { describe: 'the sandbox to go' });
  const events = await eventsOf(runner.database, run.id);
  expect(events.at(-1)).toMatchObject({ type: 'run.cancelled', data: { billable_steps: billed } });
  await storyOf(runner.database, run.id);
  const used = (await user.steps(run.id)).filter(({ usage }) => usage.length > 0);
  expect(used).toHaveLength(billed);
}

describe('a cancel', () => {
  it.each(Object.entries(states))(
    'ends a run that is %s',
    { timeout: 60_000 },
    async (_, { billed, start }) => {
      const run = await start();
      await cancel(run.id);
      await expectCancelled(run, billed);
      await cancel(run.id);
      expect(
        (await storyOf(runner.database, run.id)).filter((type) => type === 'run.cancelled'),
      ).toHaveLength(1);
    },
  );

  it.skipIf('reason' in browser)(
    'ends a run whose browser waits for a page',
    { timeout: 60_000 },
    async () => {
      const connected = new Promise((resolve) => slowSite.once('connection', resolve));
      const address = `http://127.0.0.1:${(slowSite.address() as AddressInfo).port}/`;
      const run = await after({ id: 'look', tool: 'browser', with: { action: 'open', address } });
      await connected;
      await cancel(run.id);
      await expectCancelled(run, 1);
    },
  );

  it('is refused an answer, an approval or a resume afterwards', async () => {
    const run = await states['waiting for an approval']?.start();
    if (!run) throw new Error('no run');
    await cancel(run.id);
    await expectCancelled(run, 1);
    const response = await user.request('GET', `/v1/runs/${run.id}/questions`);
    const { items } = (await response.json()) as { items: { id: string; status: string }[] };
    expect(items).toMatchObject([{ status: 'withdrawn' }]);
    const path = `/v1/runs/${run.id}/questions/${items[0]?.id}/answer`;
    const late = await user.request('POST', path, { answer: 'approve' }, { 'idempotency-key': 'late' });
    expect(late.status).toBe(409);
    expect((await user.request('POST', `/v1/runs/${run.id}/resume`)).status).toBe(409);
    expect(gate.begun.some((call) => call.name === 'never')).toBe(false);
  });

  it('ends running and queued runs while Redis is away', { timeout: 60_000 }, async () => {
    const running = await startBusy();
    await runner.redis.kill();
    try {
      const waiting = await user.create(playbookOf([gateStep('a', 'never', { cost: 1 })]));
      await inState(waiting.id, 'queued', 'running');
      for (const run of [running, waiting]) await cancel(run.id);
      await expectCancelled(running, 1);
      await expectCancelled(waiting, 0);
    } finally {
      await runner.redis.restart();
    }
  });
});
