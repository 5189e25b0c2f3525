import { readdir } from 'node:fs/promises';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventsOf, storyOf } from './support/events.ts';
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
});

const cancel = async (id: string) => {
  const response = await user.request('POST', `/v1/runs/${id}/cancel`);
  expect(response.status).toBe(200);
  return (await response.json()) as { status: string; cancel_requested: boolean };
};

describe('a cancel', () => {
  it('ends a pending run at once; a hold that comes later changes nothing', async () => {
    runner.credits.onRequest = () => 'wait';
    const run = await user.create(playbookOf([gateStep('a', 'pass')]));
    expect(await cancel(run.id)).toMatchObject({ status: 'cancelled', cancel_requested: false });
    await runner.credits.reserve(
      { ...runner.credits.requested[0], run_id: run.id, user_id: user.id } as never,
      1n,
    );
    const marker = await user.create(playbookOf([gateStep('a', 'pass')]));
    await runner.credits.reserve({ run_id: marker.id, user_id: user.id } as never, 5_000_000n);
    expect((await user.ended(marker.id)).status).toBe('completed');
    expect(await user.run(run.id)).toMatchObject({ status: 'cancelled', attempt: 0 });
    expect(await storyOf(runner.database, run.id)).toEqual(['run.requested', 'run.cancelled']);
  });

  it('ends a queued run at once, and a running one with its sandbox gone and nothing billed', async () => {
    const marker = `${runner.directory}/started`;
    const running = await user.create(
      playbookOf([
        step(
          'loop',
          `import { writeFileSync } from 'node:fs'; writeFileSync(${JSON.stringify(marker)}, 'x'); setInterval(() => {}, 1000);`,
        ),
        gateStep('after', 'pass', { needs: ['loop'] }),
      ]),
    );
    await waitFor(async () => (await readdir(runner.directory)).includes('started'), {
      describe: 'the program',
    });
    const queued = await user.create(playbookOf([gateStep('a', 'pass')]));
    await waitFor(async () => (await user.run(queued.id)).status === 'queued');
    expect(await cancel(queued.id)).toMatchObject({ status: 'cancelled' });
    expect(await storyOf(runner.database, queued.id)).toEqual([
      'run.requested',
      'run.queued',
      'run.cancelled',
    ]);

    expect(await cancel(running.id)).toMatchObject({ cancel_requested: true });
    const ended = await user.ended(running.id);
    expect(ended).toMatchObject({
      status: 'cancelled',
      error: null,
      cancel_requested: false,
      steps: { open: 0 },
      credits: { consumed: '0' },
    });
    expect((await user.steps(running.id)).map((row) => [row.status, row.usage])).toEqual([
      ['cancelled', []],
      ['skipped', []],
    ]);
    const events = await eventsOf(runner.database, running.id);
    expect(events.at(-1)).toMatchObject({
      type: 'run.cancelled',
      data: { billable_steps: 0, billable_step_ids: [], error: null },
    });
    const sessions = await readdir(`${runner.directory}/sandboxes`);
    expect(sessions.filter((name) => name.startsWith(running.id))).toEqual([]);
  });

  it('wins over a step that ends after it, and may be repeated', async () => {
    const run = await user.create(playbookOf([gateStep('a', 'slow', { cost: 1 })]));
    await waitFor(() => gate.begun.some((call) => call.name === 'slow'));
    await runner.database.query('update agent_runs set cancel_requested_at = now() where id = $1', [run.id]);
    gate.open('slow');
    expect(await user.ended(run.id)).toMatchObject({ status: 'cancelled', credits: { consumed: '0' } });
    expect(await cancel(run.id)).toMatchObject({ status: 'cancelled' });
    expect(await cancel(run.id)).toMatchObject({ status: 'cancelled' });
    expect((await storyOf(runner.database, run.id)).filter((type) => type === 'run.cancelled')).toHaveLength(
      1,
    );
  });

  it('leaves a run that has completed as it is', async () => {
    const run = await user.create(playbookOf([gateStep('a', 'pass')]));
    await user.ended(run.id);
    expect(await cancel(run.id)).toMatchObject({ status: 'completed' });
  });

  it('reaches a run whose worker is dead', async () => {
    const run = await user.create(playbookOf([gateStep('a', 'orphan')]));
    await waitFor(() => gate.begun.some((call) => call.name === 'orphan'));
    // As a worker leaves it that was killed: leased to nobody who lives, for a while.
    await runner.database.query(
      "update agent_runs set lease_owner = 'dead', attempt = attempt + 1, lease_until = now() + interval '1 second' where id = $1",
      [run.id],
    );
    await cancel(run.id);
    expect((await user.ended(run.id)).status).toBe('cancelled');
    await storyOf(runner.database, run.id);
  });
});
