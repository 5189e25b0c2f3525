import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventsOf } from './support/events.ts';
import { createGate, gateStep } from './support/gate.ts';
import { newUser, playbookOf, type Runner, startRunner, type User } from './support/runner.ts';

let runner: Runner;
let user: User;
const gate = createGate();
beforeAll(async () => {
  runner = await startRunner({ extraTools: [gate.tool], overrides: { RUN_MAX_SECONDS: '2' } });
  user = await newUser(runner.url);
});
afterAll(() => runner?.stop());

describe('the wall clock of a run', () => {
  it('ends it, with what was finished billed and the rest not', async () => {
    const steps = [gateStep('a', 'pass', { cost: 3 }), gateStep('b', 'never', { cost: 2, needs: ['a'] })];
    const run = await user.create(playbookOf(steps));
    const ended = await user.ended(run.id);
    expect(ended).toMatchObject({
      status: 'timed_out',
      error: { code: 'run_timed_out' },
      credits: { consumed: '3' },
    });
    expect((await user.steps(run.id)).map((row) => row.status)).toEqual(['completed', 'cancelled']);
    const events = await eventsOf(runner.database, run.id);
    expect(events.at(-1)).toMatchObject({ type: 'run.timed_out', data: { billable_steps: 1 } });
  });

  it('ends it also where its worker is dead', async () => {
    const run = await user.create(playbookOf([gateStep('a', 'orphan')]));
    await waitFor(() => gate.begun.some((call) => call.name === 'orphan'));
    await runner.database.query(
      "update agent_runs set lease_owner = 'dead', attempt = attempt + 1, started_at = now() - interval '1 hour', lease_until = now() where id = $1",
      [run.id],
    );
    expect((await user.ended(run.id)).status).toBe('timed_out');
    await eventsOf(runner.database, run.id);
  });
});
