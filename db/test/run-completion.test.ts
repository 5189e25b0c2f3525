import { randomUUID } from 'node:crypto';
import { runCompleted, runFailed } from '@swissbrain/shared-schema/events/agent-runner';
import { createTestDatabase } from '@swissbrain/testkit/database';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { acting, openSession, type Session, sqlState } from './acting.ts';
import { finishStep, readEvents, readRun, runWithSteps } from './runs.ts';
import { onTrial } from './trial.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let session: Session;

beforeAll(async () => {
  database = await createTestDatabase();
  session = await openSession(database.adminUrl);
});
afterAll(async () => {
  await session.end();
  await database.drop();
});

describe('the counters of a run', () => {
  it('follow its steps', async () => {
    const { runId } = await runWithSteps(session, 3);
    expect(await readRun(session, runId)).toMatchObject({ open_steps: 3, completed_steps: 0 });
    await finishStep(session, runId, 0, {
      status: 'completed',
      usage: [{ operation: 'web_search', quantity: '1' }],
    });
    await finishStep(session, runId, 1, { status: 'failed' });
    expect(await readRun(session, runId)).toMatchObject({
      status: 'running',
      open_steps: 1,
      completed_steps: 1,
      failed_steps: 1,
      required_failed_steps: 1,
      billable_steps: 1,
      consumed_micro: '20',
    });
  });

  it('are left alone by a change of a step that does not count', async () => {
    const { runId } = await runWithSteps(session, 1);
    const version = () =>
      session.query<{ xmin: string }>('SELECT xmin FROM agent_runs WHERE id = $1', [runId]);
    const before = await version();
    await session.query(`UPDATE agent_steps SET output = '{"progress": 1}' WHERE run_id = $1`, [runId]);
    expect(await version()).toEqual(before);
  });

  it('close a step that was skipped or cancelled, whatever it cost, and take one that comes finished', async () => {
    const { runId, userId } = await runWithSteps(session, 2, { planningDone: false });
    await session.query(
      `UPDATE agent_steps SET cost_micro = 5, status = (ARRAY['skipped', 'cancelled'])[step_index + 1]::agent_step_status
       WHERE run_id = $1`,
      [runId],
    );
    await session.query(
      `INSERT INTO agent_steps (run_id, user_id, step_index, step_key, tool, name, status, cost_micro)
       VALUES ($1, $2, 2, 'late', 'code', 'late', 'completed', 7)`,
      [runId, userId],
    );
    const [run] = await session.query('SELECT step_count FROM agent_runs WHERE id = $1', [runId]);
    expect(run).toEqual({ step_count: 3 });
    expect(await readRun(session, runId)).toMatchObject({
      open_steps: 0,
      completed_steps: 1,
      failed_steps: 0,
      consumed_micro: '17',
    });
  });

  it('take the new steps of one statement in one update for each of their runs', async () => {
    const unplanned = { planningDone: false };
    const runs = [await runWithSteps(session, 0, unplanned), await runWithSteps(session, 0, unplanned)];
    const updates = await onTrial(session, async () => {
      const count = `SELECT pg_stat_get_xact_tuples_updated('agent_runs'::regclass)::int AS count`;
      const [before] = await session.query<{ count: number }>(count);
      await session.query(
        `INSERT INTO agent_steps (run_id, user_id, step_index, step_key, tool, name, status, required, cost_micro, usage)
         SELECT run.id, run.user_id, i, 's' || i, 'code', 'step', step.status, i <> 3, 5, CASE WHEN i > 3 THEN '[{}]' ELSE '[]' END::jsonb
         FROM agent_runs run, unnest('{pending,running,failed,failed,completed,skipped}'::agent_step_status[])
           WITH ORDINALITY AS step(status, place), LATERAL (SELECT (place - 1)::int) AS index(i)
         WHERE run.id = $1 OR run.id = $2 AND place < 3`,
        runs.map(({ runId }) => runId),
      );
      const [after] = await session.query<{ count: number }>(count);
      await session.query('COMMIT; BEGIN');
      return (after?.count ?? 0) - (before?.count ?? 0);
    });
    expect(updates).toBe(2);
    const [many, few] = [
      await readRun(session, runs[0]?.runId ?? ''),
      await readRun(session, runs[1]?.runId ?? ''),
    ];
    expect(many).toMatchObject({
      step_count: 6,
      open_steps: 2,
      completed_steps: 1,
      failed_steps: 2,
      required_failed_steps: 1,
      billable_steps: 2,
      consumed_micro: '20',
    });
    expect(few).toMatchObject({ step_count: 2, open_steps: 2, failed_steps: 0, consumed_micro: '0' });
  });

  it('return to zero when the steps are taken back, and those of another run stay', async () => {
    const bystander = await runWithSteps(session, 2, { planningDone: false });
    await finishStep(session, bystander.runId, 0, { status: 'completed' });
    const before = await readRun(session, bystander.runId);
    const { runId } = await runWithSteps(session, 3, { planningDone: false });
    const usage = [{ operation: 'web_search', quantity: '1' }];
    await finishStep(session, runId, 0, { status: 'failed', usage });
    await finishStep(session, runId, 1, { status: 'completed', usage });
    await session.query('DELETE FROM agent_steps WHERE run_id = $1 AND step_index = 1', [runId]);
    expect(await readRun(session, runId)).toMatchObject({
      step_count: 2,
      completed_steps: 0,
      billable_steps: 1,
    });
    await session.query('DELETE FROM agent_steps WHERE run_id = $1', [runId]);
    expect(await readRun(session, runId)).toMatchObject({
      step_count: 0,
      open_steps: 0,
      failed_steps: 0,
      required_failed_steps: 0,
      billable_steps: 0,
      consumed_micro: '0',
    });
    expect(await readRun(session, bystander.runId)).toEqual(before);
  });
});

describe('the end of a run', () => {
  it('comes with its last step and one event after that of the step', async () => {
    const { runId, userId } = await runWithSteps(session, 2);
    await session.query(
      `UPDATE agent_runs SET lease_owner = 'worker', lease_until = now(), updated_at = now() - interval '1 hour' WHERE id = $1`,
      [runId],
    );
    await finishStep(session, runId, 0, {
      status: 'completed',
      usage: [{ operation: 'web_search', quantity: '1' }],
    });
    await acting(session, 'sb_agent_runner', null, async (service) => {
      await service.query(`SELECT set_config('sb.traceparent', '00-trace', true)`); // the default of the column
      await finishStep(service, runId, 1, { status: 'completed' });
    });

    const run = await readRun(session, runId);
    expect(run).toMatchObject({
      status: 'completed',
      run_seq: '3',
      open_steps: 0,
      lease_owner: null,
      lease_until: null,
      error_code: null,
    });
    expect(run.finished_at).not.toBeNull();
    expect(run.updated_at).toEqual(run.finished_at);
    const events = await readEvents(session, runId);
    expect(events.map(({ type }) => type)).toEqual(['step.completed', 'step.completed', 'run.completed']);
    const closing = events[2];
    expect(closing).toMatchObject({
      source: 'agent-runner',
      aggregate_seq: '3',
      user_id: userId,
      root_id: runId,
      traceparent: '00-trace',
    });
    const [billable] = await session.query<{ id: string }>(
      'SELECT id FROM agent_steps WHERE run_id = $1 AND billable',
      [runId],
    );
    expect(runCompleted.data.parse(closing?.data)).toEqual({
      run_id: runId,
      root_run_id: runId,
      attempt: 1,
      billable_steps: 1,
      billable_step_ids: [billable?.id],
      steps: 2,
      error: null,
    });
  });

  it('belongs to the trace of the event before it', async () => {
    const { runId } = await runWithSteps(session, 1, { planningDone: false });
    await finishStep(session, runId, 0, { status: 'completed' });
    await session.query(`UPDATE event_outbox SET traceparent = '00-worker' WHERE run_id = $1`, [runId]);
    await session.query('UPDATE agent_runs SET planning_done = true WHERE id = $1', [runId]);
    expect((await readEvents(session, runId)).map(({ traceparent }) => traceparent)).toEqual([
      '00-worker',
      '00-worker',
    ]);
  });

  it('is a failure with the error of the first required step that failed', async () => {
    const { runId } = await runWithSteps(session, 3);
    await finishStep(session, runId, 2, { status: 'failed', errorCode: 'later' });
    await finishStep(session, runId, 1, { status: 'failed', errorCode: 'timeout' });
    await finishStep(session, runId, 0, { status: 'completed' });
    expect(await readRun(session, runId)).toMatchObject({
      status: 'failed',
      error_code: 'timeout',
      error_message: 'step s1 failed',
    });
    const closing = (await readEvents(session, runId)).at(-1);
    expect(closing?.type).toBe('run.failed');
    expect(runFailed.data.parse(closing?.data)).toMatchObject({
      error: { code: 'timeout', message: 'step s1 failed' },
    });
  });

  it('is not given the error of an optional step that failed before', async () => {
    const { runId } = await runWithSteps(session, 2);
    await session.query('UPDATE agent_steps SET required = false WHERE run_id = $1 AND step_index = 0', [
      runId,
    ]);
    await finishStep(session, runId, 0, { status: 'failed', errorCode: 'optional' });
    await finishStep(session, runId, 1, { status: 'failed', errorCode: 'required' });
    expect(await readRun(session, runId)).toMatchObject({ status: 'failed', error_code: 'required' });
  });

  it('has the words of the step, when it has some', async () => {
    const { runId } = await runWithSteps(session, 1);
    await session.query(
      `UPDATE agent_steps SET status = 'failed', error_message = 'the disk is full' WHERE run_id = $1`,
      [runId],
    );
    expect(await readRun(session, runId)).toMatchObject({
      error_code: 'step_failed',
      error_message: 'the disk is full',
    });
  });

  it('may come while it is still said to plan', async () => {
    const { runId } = await runWithSteps(session, 1, { planningDone: false });
    await session.query(`UPDATE agent_runs SET status = 'planning' WHERE id = $1`, [runId]);
    await session.query(`UPDATE agent_steps SET status = 'completed' WHERE run_id = $1`, [runId]);
    await session.query('UPDATE agent_runs SET planning_done = true WHERE id = $1', [runId]);
    expect(await readRun(session, runId)).toMatchObject({ status: 'completed' });
  });

  it('is a success when only optional steps failed', async () => {
    const { runId } = await runWithSteps(session, 1, { required: false });
    await finishStep(session, runId, 0, { status: 'failed' });
    expect(await readRun(session, runId)).toMatchObject({ status: 'completed', failed_steps: 1 });
  });

  it('is reached once by 50 last steps at the same time', async () => {
    const steps = 50;
    const { runId } = await runWithSteps(session, steps);
    const sessions = await Promise.all(Array.from({ length: steps }, () => openSession(database.adminUrl)));
    await Promise.all(
      sessions.map((own, index) =>
        acting(own, 'sb_agent_runner', null, (service) =>
          finishStep(service, runId, index, {
            status: 'completed',
            usage: [{ operation: 'web_search', quantity: '1' }],
          }),
        ),
      ),
    );
    await Promise.all(sessions.map((own) => own.end()));

    expect(await readRun(session, runId)).toMatchObject({
      status: 'completed',
      run_seq: '51',
      completed_steps: steps,
      billable_steps: steps,
      consumed_micro: '500',
    });
    const events = await readEvents(session, runId);
    expect(events.map(({ run_seq }) => Number(run_seq))).toEqual(
      Array.from({ length: steps + 1 }, (_, i) => i + 1),
    );
    expect(events.filter(({ type }) => type === 'run.completed')).toHaveLength(1);
    expect(runCompleted.data.parse(events.at(-1)?.data).billable_step_ids).toHaveLength(steps);
  });

  it('names up to 1,000 billable steps and counts more', async () => {
    const named = async (steps: number) => {
      const { runId } = await runWithSteps(session, steps);
      await session.query(
        `UPDATE agent_steps SET status = 'completed', usage = '[{"operation":"web_search","quantity":"1"}]' WHERE run_id = $1`,
        [runId],
      );
      const closing = (await readEvents(session, runId)).at(-1);
      const { billable_steps, billable_step_ids } = runCompleted.data.parse(closing?.data);
      return { billable_steps, named: billable_step_ids?.length ?? null };
    };
    expect(await named(1_000)).toEqual({ billable_steps: 1_000, named: 1_000 });
    expect(await named(1_001)).toEqual({ billable_steps: 1_001, named: null });
  });
});

describe('a run does not end', () => {
  it('while steps may still be planned; then with the plan', async () => {
    const { runId } = await runWithSteps(session, 1, { planningDone: false });
    await finishStep(session, runId, 0, { status: 'completed' });
    expect(await readRun(session, runId)).toMatchObject({ status: 'running', open_steps: 0 });
    await session.query('UPDATE agent_runs SET planning_done = true WHERE id = $1', [runId]);
    expect(await readRun(session, runId)).toMatchObject({ status: 'completed' });
    const [times] = await session.query(
      'SELECT updated_at = finished_at AS changed FROM agent_runs WHERE id = $1',
      [runId],
    );
    expect(times).toEqual({ changed: true });
  });

  it('when a cancel is on its way', async () => {
    const { runId } = await runWithSteps(session, 1);
    await session.query('UPDATE agent_runs SET cancel_requested_at = now() WHERE id = $1', [runId]);
    await finishStep(session, runId, 0, { status: 'completed' });
    expect(await readRun(session, runId)).toMatchObject({ status: 'running', open_steps: 0 });
    expect((await readEvents(session, runId)).map(({ type }) => type)).toEqual(['step.completed']);
  });

  it('in the statement that claims it under another attempt', async () => {
    const { runId } = await runWithSteps(session, 1, { planningDone: false });
    await finishStep(session, runId, 0, { status: 'completed' });
    await session.query('UPDATE agent_runs SET planning_done = true, attempt = attempt + 1 WHERE id = $1', [
      runId,
    ]);
    expect(await readRun(session, runId)).toMatchObject({ status: 'running' });
  });

  it.each(['waiting_input', 'paused', 'queued', 'pending'])('while it is %s', async (status) => {
    const { runId } = await runWithSteps(session, 1);
    await session.query('UPDATE agent_runs SET status = $2 WHERE id = $1', [runId, status]);
    await session.query(`UPDATE agent_steps SET status = 'completed' WHERE run_id = $1`, [runId]);
    expect(await readRun(session, runId)).toMatchObject({ status, open_steps: 0 });
  });
});

describe('a terminal state', () => {
  const terminal = ['completed', 'failed', 'cancelled', 'timed_out'];

  it.each(terminal)('%s is final', async (status) => {
    const { runId } = await runWithSteps(session, 1);
    await session.query('UPDATE agent_runs SET status = $2, finished_at = now() WHERE id = $1', [
      runId,
      status,
    ]);
    for (const other of ['running', ...terminal.filter((name) => name !== status)]) {
      await expect(
        session.query('UPDATE agent_runs SET status = $2 WHERE id = $1', [runId, other]),
      ).rejects.toMatchObject(sqlState('23001'));
    }
    await session.query(`UPDATE agent_runs SET output = '{}' WHERE id = $1`, [runId]);
    await session.query(`UPDATE agent_steps SET status = 'cancelled' WHERE run_id = $1`, [runId]);
    expect(await readRun(session, runId)).toMatchObject({ status, open_steps: 0 });
    expect(await readEvents(session, runId)).toEqual([]);
  });

  it('and the time of the end come together', async () => {
    const { runId } = await runWithSteps(session, 1);
    await expect(
      session.query(`UPDATE agent_runs SET status = 'cancelled' WHERE id = $1`, [runId]),
    ).rejects.toMatchObject(sqlState('23514'));
    await expect(
      session.query('UPDATE agent_runs SET finished_at = now() WHERE id = $1', [runId]),
    ).rejects.toMatchObject(sqlState('23514'));
  });

  it('is deleted with everything below it', async () => {
    const { runId, userId } = await runWithSteps(session, 1);
    const child = randomUUID();
    await session.query(
      `INSERT INTO agent_runs (id, user_id, parent_run_id, root_run_id, kind, title, goal) VALUES ($1, $2, $3, $3, 'goal', 't', 'g')`,
      [child, userId, runId],
    );
    await finishStep(session, runId, 0, { status: 'completed' });
    await session.query('DELETE FROM agent_runs WHERE id = $1', [runId]);
    expect(await session.query('SELECT id FROM agent_runs WHERE user_id = $1', [userId])).toEqual([]);
    expect(await session.query('SELECT id FROM agent_steps WHERE user_id = $1', [userId])).toEqual([]);
  });
});
