import { readdir } from 'node:fs/promises';
import type { RunView } from '@swissbrain/shared-schema/http/agent-runner';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventsOf, storyOf } from './support/events.ts';
import { createGate, gateStep } from './support/gate.ts';
import { newUser, playbookOf, type Runner, startRunner, step, type User } from './support/runner.ts';

let runner: Runner;
let user: User;
const gate = createGate();
beforeAll(async () => {
  // A lease far beyond the bound of a cancel: no end that is seen here has waited for it.
  runner = await startRunner({
    extraTools: [gate.tool],
    overrides: { RUN_LEASE_SECONDS: '600', RUN_CANCEL_SECONDS: '1' },
  });
  user = await newUser(runner.url);
});
afterAll(() => runner?.stop());

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
