import { randomUUID } from 'node:crypto';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventsOf } from './support/events.ts';
import { createGate, gateStep } from './support/gate.ts';
import { newUser, playbookOf, type Runner, startRunner, step, type User } from './support/runner.ts';

let runner: Runner;
let user: User;
const gate = createGate();
beforeAll(async () => {
  runner = await startRunner({ extraTools: [gate.tool] });
  user = await newUser(runner.url);
});
afterAll(() => runner?.stop());

const retry = (attempts: number, backoff_seconds = 0.05) => ({ attempts, backoff_seconds });
const callsOf = async (runId: string) => {
  const ids = new Set((await user.steps(runId)).map(({ id }) => id));
  return gate.begun.filter(({ stepId }) => ids.has(stepId)).length;
};

describe('a step that may be tried again', () => {
  it('is, until it goes well, and is billed once for all of its calls', async () => {
    const run = await user.create(
      playbookOf([
        gateStep('shaky', 'fail twice', { cost: 2, retry: retry(4) }),
        { ...gateStep('after', 'pass', { cost: 1 }), needs: ['shaky'] },
      ]),
    );
    expect(await user.ended(run.id)).toMatchObject({ status: 'completed', credits: { consumed: '7' } });
    const [shaky] = await user.steps(run.id);
    expect(shaky).toMatchObject({
      status: 'completed',
      tries: [{ code: 'told_to' }, { code: 'told_to' }],
      usage: [{ operation: 'connector.call', quantity: '6' }],
      cost: '6',
      error: null,
    });
    expect(await callsOf(run.id)).toBe(4);
    const ends = (await eventsOf(runner.database, run.id)).filter(({ type }) => type.startsWith('step.'));
    expect(ends.map(({ type }) => type)).toEqual([
      'step.started',
      'step.completed',
      'step.started',
      'step.completed',
    ]);
    expect(ends[1]?.data.usage).toEqual([{ operation: 'connector.call', quantity: '6' }]);
  });

  it('fails when the calls that it may take are used up', async () => {
    const run = await user.create(playbookOf([gateStep('shaky', 'fail', { cost: 1, retry: retry(3) })]));
    expect(await user.ended(run.id)).toMatchObject({
      status: 'failed',
      error: { code: 'told_to' },
      credits: { consumed: '3' },
    });
    expect((await user.steps(run.id))[0]).toMatchObject({ status: 'failed', tries: [{}, {}] });
    expect(await callsOf(run.id)).toBe(3);
  });

  it('is not begun with less than all of its calls may cost', async () => {
    runner.credits.onRequest = () => ({ hold: 5_000_000n });
    const run = await user.create(
      playbookOf([gateStep('shaky', 'fail twice', { cost: 2, retry: retry(3) })]),
    );
    await waitFor(async () => (await user.run(run.id)).status === 'paused', { describe: 'the pause' });
    expect(runner.credits.extensions.at(-1)?.amount_micro).toBe('1000000');
    expect(await callsOf(run.id)).toBe(0);
    runner.credits.onRequest = () => ({ hold: 100_000_000n });
  });

  it('is cancelled in the pause between two calls', async () => {
    const run = await user.create(playbookOf([gateStep('shaky', 'fail', { retry: retry(5, 60) })]));
    await waitFor(async () => (await user.steps(run.id))[0]?.tries.length === 1, {
      describe: 'the first failure',
    });
    await user.request('POST', `/v1/runs/${run.id}/cancel`);
    expect(await user.ended(run.id)).toMatchObject({ status: 'cancelled' });
    expect(await callsOf(run.id)).toBe(1);
  });

  it('does nothing twice: a call that is not safe to repeat cannot be asked to', async () => {
    for (const unsafe of [
      step('write', 'process.exit(1)', { retry: retry(2) }),
      { id: 'write', tool: 'file', with: { action: 'write', path: 'a', content: 'b' }, retry: retry(2) },
    ]) {
      const body = playbookOf([unsafe]);
      const answer = await user.request('POST', '/v1/runs', body, { 'idempotency-key': randomUUID() });
      expect(answer.status).toBe(422);
      expect(await answer.json()).toMatchObject({
        code: 'invalid_playbook',
        problem: 'bad_retry',
        step: 'write',
      });
    }
    const reading = { id: 'read', tool: 'file', with: { action: 'read', path: 'none' }, retry: retry(2) };
    expect(await user.ended((await user.create(playbookOf([reading]))).id)).toMatchObject({
      status: 'failed',
    });
  });
});
