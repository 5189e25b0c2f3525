import { randomUUID } from 'node:crypto';
import { creditsExhausted, creditsGranted } from '@swissbrain/shared-schema/events/credits';
import type { RunView } from '@swissbrain/shared-schema/http/agent-runner';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { storyOf } from './support/events.ts';
import { createGate, gateStep } from './support/gate.ts';
import { newUser, playbookOf, type Runner, startRunner, step, type User } from './support/runner.ts';

let runner: Runner;
let user: User;
const gate = createGate();
beforeAll(async () => {
  runner = await startRunner({ extraTools: [gate.tool], overrides: { RUN_CONCURRENCY: '1' } });
  user = await newUser(runner.url);
});
afterAll(() => runner?.stop());
beforeEach(() => {
  runner.credits.onRequest = () => ({ hold: 100_000_000n });
  runner.credits.onExtend = () => ({ status: 'insufficient', held_micro: '0' });
});

const act = async (id: string, action: 'pause' | 'resume' | 'cancel', of = user) => {
  const response = await of.request('POST', `/v1/runs/${id}/${action}`);
  return { status: response.status, body: (await response.json()) as RunView & { code?: string } };
};
const inState = (id: string, status: RunView['status']) =>
  waitFor(
    async () => {
      const run = await user.run(id);
      return run.status === status ? run : undefined;
    },
    { timeoutMs: 30_000, describe: `run ${id} to be ${status}` },
  );
const begun = (name: string) =>
  waitFor(() => gate.begun.some((call) => call.name === name), { describe: `the call ${name}` });
const grant = () => {
  const data = {
    grant_id: randomUUID(),
    grant_source: 'adjustment',
    amount_micro: '1000000',
    available_micro: '1000000',
  };
  return runner.credits.publish(creditsGranted, { run_id: user.id, user_id: user.id }, data);
};

describe('a pause', () => {
  it('of a running run lets what has begun end, begins nothing, and gives the place away', async () => {
    const run = await user.create(
      playbookOf([
        step('before', `import { writeFileSync } from 'node:fs'; writeFileSync('note.txt', 'kept');`),
        { ...gateStep('slow', 'slow-pause'), needs: ['before'] },
        step(
          'after',
          `import { readFileSync } from 'node:fs'; console.log(readFileSync('note.txt', 'utf8'));`,
          {
            needs: ['slow'],
          },
        ),
      ]),
    );
    await begun('slow-pause');
    expect((await act(run.id, 'pause')).body).toMatchObject({ status: 'running', pause_reason: 'user' });
    expect((await act(run.id, 'pause')).status).toBe(200);
    gate.open('slow-pause');
    expect(await inState(run.id, 'paused')).toMatchObject({
      pause_reason: 'user',
      steps: { completed: 2, open: 1 },
    });
    const other = await user.create(playbookOf([gateStep('a', 'pass')]));
    expect((await user.ended(other.id)).status).toBe('completed');
    expect((await act(run.id, 'resume')).body).toMatchObject({ status: 'queued', pause_reason: null });
    expect(await user.ended(run.id)).toMatchObject({ status: 'completed', attempt: 2 });
    expect((await user.steps(run.id)).at(-1)?.output).toMatchObject({ stdout: 'kept\n' });
    expect((await storyOf(runner.database, run.id)).filter((type) => type.startsWith('run.'))).toEqual([
      ...['run.requested', 'run.queued', 'run.started', 'run.paused', 'run.resumed', 'run.started'],
      'run.completed',
    ]);
  });

  it('that the worker has not heard of lets nothing begin either', async () => {
    const run = await user.create(
      playbookOf([gateStep('slow', 'unheard-pause'), { ...gateStep('after', 'pass'), needs: ['slow'] }]),
    );
    await begun('unheard-pause');
    await runner.database.query(
      `update public.agent_runs set pause_requested_at = clock_timestamp(), pause_reason = 'user' where id = $1`,
      [run.id],
    );
    gate.open('unheard-pause');
    expect(await inState(run.id, 'paused')).toMatchObject({ steps: { completed: 1, open: 1 } });
    expect((await act(run.id, 'resume')).body).toMatchObject({ status: 'queued' });
    expect(await user.ended(run.id)).toMatchObject({ status: 'completed', attempt: 2 });
  });

  it('of a pending and of a queued run keeps it from starting', async () => {
    runner.credits.onRequest = () => 'wait';
    const pending = await user.create(playbookOf([gateStep('a', 'pass')]));
    expect((await act(pending.id, 'pause')).body).toMatchObject({ status: 'pending', pause_reason: 'user' });
    await runner.credits.reserve({ run_id: pending.id, user_id: user.id } as never, 5_000_000n);
    await inState(pending.id, 'paused');

    runner.credits.onRequest = () => ({ hold: 100_000_000n });
    const busy = await user.create(playbookOf([gateStep('a', 'busy')]));
    await begun('busy');
    const queued = await user.create(playbookOf([gateStep('a', 'pass')]));
    await inState(queued.id, 'queued');
    expect((await act(queued.id, 'pause')).body).toMatchObject({ status: 'paused' });
    gate.open('busy');
    await user.ended(busy.id);
    for (const { id } of [pending, queued]) {
      expect(await user.run(id)).toMatchObject({ status: 'paused', attempt: 0 });
      await act(id, 'resume');
      expect((await user.ended(id)).status).toBe('completed');
    }
  });

  it('may be withdrawn before it comes, is no end, and is not for runs that have ended or for strangers', async () => {
    const run = await user.create(
      playbookOf([gateStep('a', 'withdrawn'), gateStep('b', 'pass', { needs: ['a'] })]),
    );
    await begun('withdrawn');
    await act(run.id, 'pause');
    expect((await act(run.id, 'resume')).body).toMatchObject({ status: 'running', pause_reason: null });
    gate.open('withdrawn');
    expect((await user.ended(run.id)).status).toBe('completed');
    for (const action of ['pause', 'resume'] as const) {
      expect(await act(run.id, action)).toMatchObject({ status: 409, body: { code: 'run_not_open' } });
      expect((await act(randomUUID(), action)).status).toBe(404);
      expect((await act(run.id, action, await newUser(runner.url))).status).toBe(404);
      expect((await user.request('POST', `/v1/runs/nonsense/${action}`)).status).toBe(400);
    }
  });

  it('of a run that waits keeps the answer until it goes on, and a paused run can be cancelled', async () => {
    const human = { id: 'which', tool: 'human', with: { question: 'Which one?' } };
    const run = await user.create(playbookOf([human]));
    await inState(run.id, 'waiting_input');
    expect((await act(run.id, 'pause')).body).toMatchObject({ status: 'paused' });
    const list = await user.request('GET', `/v1/runs/${run.id}/questions`);
    const { items } = (await list.json()) as { items: { id: string }[] };
    const path = `/v1/runs/${run.id}/questions/${items[0]?.id}/answer`;
    const answered = await user.request('POST', path, { answer: 'this' }, { 'idempotency-key': 'one' });
    expect(answered.status).toBe(200);
    expect((await user.run(run.id)).status).toBe('paused');
    await act(run.id, 'resume');
    expect((await user.ended(run.id)).status).toBe('completed');
    const other = await user.create(playbookOf([human]));
    await inState(other.id, 'waiting_input');
    await act(other.id, 'pause');
    expect((await act(other.id, 'cancel')).body).toMatchObject({ status: 'cancelled', pause_reason: null });
  });
});

describe('a run without credits', () => {
  it('pauses when they are exhausted and goes on when some are granted', async () => {
    const run = await user.create(
      playbookOf([gateStep('a', 'exhausting'), gateStep('b', 'pass', { needs: ['a'] })]),
    );
    await begun('exhausting');
    const ids = { reservation_id: run.id, run_id: run.id };
    await runner.credits.publish(
      creditsExhausted,
      { run_id: run.id, user_id: user.id },
      { ...ids, debt_micro: '1' },
    );
    await waitFor(async () => (await user.run(run.id)).pause_reason === 'credits');
    gate.open('exhausting');
    await inState(run.id, 'paused');
    // Of its user's own pause a grant is no end.
    const own = await user.create(playbookOf([{ id: 'q', tool: 'human', with: { question: '?' } }]));
    await inState(own.id, 'waiting_input');
    await act(own.id, 'pause');
    await grant();
    expect(await user.ended(run.id)).toMatchObject({ status: 'completed' });
    expect((await user.run(own.id)).status).toBe('paused');
    await act(own.id, 'cancel');
  });

  it('pauses before a step that does not fit, and does it once there are more', async () => {
    runner.credits.onRequest = () => ({ hold: 3_000_000n });
    const run = await user.create(
      playbookOf([
        gateStep('a', 'pass', { cost: 2 }),
        gateStep('dear', 'pass', { cost: 4, needs: ['a'] }),
        gateStep('beside', 'beside-dear'),
      ]),
    );
    await waitFor(async () => (await user.run(run.id)).pause_reason === 'credits');
    gate.open('beside-dear');
    expect(await inState(run.id, 'paused')).toMatchObject({
      credits: { consumed: '2' },
      steps: { completed: 2 },
    });
    runner.credits.onExtend = () => ({ status: 'extended', held_micro: '6000000' });
    await grant();
    expect(await user.ended(run.id)).toMatchObject({ status: 'completed', credits: { consumed: '6' } });
  });
});
