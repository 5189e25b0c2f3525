import type { StepView } from '@swissbrain/shared-schema/http/agent-runner';
import { expect } from 'vitest';
import { z } from 'zod';
import { eventsOf } from './events.ts';
import type { Outside } from './outside.ts';
import type { Runner, User } from './runner.ts';

const closing = z.looseObject({
  billable_steps: z.number(),
  billable_step_ids: z.array(z.string()).optional(),
});
const effects: ReadonlySet<string> = new Set(['effect', 'wipe', 'keyed']);
const micro = (amount: string) => Math.round(Number(amount) * 1_000_000);

/** A run as it must come out, whatever was killed. */
export interface Shape {
  readonly kind: string;
  readonly status: string;
  readonly steps: readonly string[];
  readonly questions: number;
}

const isInterrupted = (step: StepView) => step.error?.code === 'interrupted';

function checkEffects(steps: readonly StepView[], outside: Outside): void {
  for (const step of steps.filter(({ name }) => effects.has(name))) {
    const times = outside.calls.filter(({ stepId }) => stepId === step.id).length;
    const say = `${step.name} ${step.key} (${step.status})`;
    // Interrupted is no more than that: it may have happened, but never twice. What has a key may be asked for again.
    if (step.name !== 'keyed') expect(times, say).toBeLessThanOrEqual(1);
    if (step.attempt === 0) expect(times, say).toBe(0);
    else if (step.status === 'completed') expect(times, say).toBeGreaterThanOrEqual(1);
  }
}

async function checkRun(runner: Runner, user: User, id: string, outside: Outside): Promise<void> {
  const [run, steps] = await Promise.all([user.run(id), user.steps(id)]);
  const events = await eventsOf(runner.database, id);
  const ends = events.filter(({ type }) => /^run\.(completed|failed|cancelled|timed_out)$/.test(type));
  expect(ends.map(({ type }) => type)).toEqual([`run.${run.status}`]);
  expect(events.at(-1)).toBe(ends[0]);
  expect(run.steps.open).toBe(0);
  checkEffects(steps, outside);

  const done = events.filter(({ type }) => type === 'step.completed' || type === 'step.failed');
  const own = steps.filter(
    ({ status, attempt }) => attempt > 0 && (status === 'completed' || status === 'failed'),
  );
  expect(done.map(({ data }) => data.step_id).sort()).toEqual(own.map((step) => step.id).sort());
  const billable = steps.filter(({ usage }) => usage.length > 0).map((step) => step.id);
  const end = closing.parse(ends[0]?.data);
  expect(end.billable_steps).toBe(billable.length);
  if (end.billable_step_ids) expect([...end.billable_step_ids].sort()).toEqual(billable.sort());
  expect(micro(run.credits.consumed)).toBe(steps.reduce((sum, { cost }) => sum + micro(cost), 0));
  for (const step of steps) {
    const event = done.find(({ data }) => data.step_id === step.id);
    if (event) expect(event.data.usage).toEqual(step.usage);
    if (step.name === 'keyed' && step.status === 'completed' && step.attempt > 0) {
      expect(step.usage.map(({ quantity }) => Number(quantity))).toEqual([step.tries.length + 1]);
    }
  }
}

/**
 * Checks all runs of a user that have ended: one end each, no step lost or told of twice, no effect twice, and a bill
 * that is that of the steps. Returns what they came to.
 */
export async function auditRuns(runner: Runner, user: User, outside: Outside): Promise<Shape[]> {
  const rows = await runner.database.query<{ id: string; kind: string; questions: bigint }>(
    `select id, case when parent_run_id is not null then 'child' when forked_from is not null then 'fork' else 'run' end as kind,
       (select count(*) from agent_questions q where q.run_id = r.id) as questions
     from agent_runs r where user_id = $1 order by created_at, id`,
    [user.id],
  );
  const shapes: Shape[] = [];
  for (const { id, kind, questions } of rows) {
    await checkRun(runner, user, id, outside);
    const steps = await user.steps(id);
    shapes.push({
      kind,
      status: (await user.run(id)).status,
      steps: steps.map(
        (step) => `${step.key} ${step.name} ${isInterrupted(step) ? 'completed' : step.status}`,
      ),
      questions: Number(questions),
    });
  }
  return shapes;
}
