import { randomUUID } from 'node:crypto';
import type { Session } from './acting.ts';

export interface RunFixture {
  readonly runId: string;
  readonly userId: string;
}

/** A run in work, attempt 1, with so many running steps `s0`, `s1`, …, and no further ones to come. */
export async function runWithSteps(
  session: Session,
  steps: number,
  options: { readonly userId?: string; readonly planningDone?: boolean; readonly required?: boolean } = {},
): Promise<RunFixture> {
  const runId = randomUUID();
  const userId = options.userId ?? randomUUID();
  await session.query(
    `INSERT INTO agent_runs (id, user_id, root_run_id, kind, title, goal, status, attempt)
     VALUES ($1, $2, $1, 'goal', 'a run', 'a goal', 'running', 1)`,
    [runId, userId],
  );
  await session.query(
    `INSERT INTO agent_steps (run_id, user_id, step_index, step_key, tool, name, status, attempt, required)
     SELECT $1, $2, i, 's' || i, 'code', 'step ' || i, 'running', 1, $4
     FROM generate_series(0, $3::int - 1) AS i`,
    [runId, userId, steps, options.required ?? true],
  );
  await session.query(`UPDATE agent_runs SET planning_done = $2 WHERE id = $1`, [
    runId,
    options.planningDone ?? true,
  ]);
  return { runId, userId };
}

/** Ends a step as a worker does: run_seq, step and event in one statement. */
export async function finishStep(
  session: Session,
  runId: string,
  stepIndex: number,
  outcome: {
    readonly status: 'completed' | 'failed';
    readonly usage?: unknown[];
    readonly errorCode?: string;
  },
): Promise<void> {
  await session.query(
    `WITH run AS (
       UPDATE agent_runs SET run_seq = run_seq + 1
       WHERE id = $1 AND attempt = 1 AND status = 'running'
       RETURNING id, user_id, root_run_id, run_seq
     ), step AS (
       UPDATE agent_steps SET status = $3, usage = $4, error_code = $5, cost_micro = 10, finished_at = now()
       FROM run WHERE agent_steps.run_id = run.id AND step_index = $2 AND agent_steps.status = 'running'
       RETURNING agent_steps.id
     )
     INSERT INTO event_outbox (source, aggregate_type, aggregate_id, aggregate_seq, type, user_id, root_id, run_id, run_seq, data)
     SELECT 'agent-runner', 'run', run.id, run_seq, $6, user_id, root_run_id, run.id, run_seq,
            jsonb_build_object('run_id', run.id, 'step_id', step.id)
     FROM run, step`,
    [
      runId,
      stepIndex,
      outcome.status,
      JSON.stringify(outcome.usage ?? []),
      outcome.errorCode ?? null,
      `step.${outcome.status}`,
    ],
  );
}

export interface RunRow {
  readonly status: string;
  readonly run_seq: string;
  readonly step_count: number;
  readonly open_steps: number;
  readonly completed_steps: number;
  readonly failed_steps: number;
  readonly required_failed_steps: number;
  readonly billable_steps: number;
  readonly consumed_micro: string;
  readonly error_code: string | null;
  readonly error_message: string | null;
  readonly finished_at: Date | null;
  readonly updated_at: Date;
  readonly lease_owner: string | null;
}

export async function readRun(session: Session, runId: string): Promise<RunRow> {
  const [run] = await session.query<RunRow>('SELECT * FROM agent_runs WHERE id = $1', [runId]);
  if (run === undefined) throw new Error(`no run ${runId}`);
  return run;
}

export interface EventRow {
  readonly type: string;
  readonly aggregate_seq: string;
  readonly run_seq: string;
  readonly user_id: string;
  readonly root_id: string;
  readonly source: string;
  readonly traceparent: string | null;
  readonly data: Record<string, unknown>;
}

/** The events of a run in order. */
export async function readEvents(session: Session, runId: string): Promise<EventRow[]> {
  return session.query<EventRow>('SELECT * FROM event_outbox WHERE run_id = $1 ORDER BY run_seq', [runId]);
}
