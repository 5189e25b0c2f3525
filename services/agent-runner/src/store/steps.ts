import type { Tx } from '@swissbrain/service-kit/database';
import { type RawBuilder, sql } from 'kysely';
import type { StepState } from '../domain/progress.ts';
import type { Usage } from '../domain/usage.ts';
import { json } from './statements.ts';

/** A step as its row holds it. */
export interface StepRow {
  readonly id: string;
  readonly run_id: string;
  readonly step_index: number;
  readonly step_key: string;
  readonly tool: string;
  readonly name: string;
  readonly input: unknown;
  readonly output: unknown;
  readonly needs: readonly string[];
  readonly required: boolean;
  readonly status: StepState;
  readonly attempt: number;
  readonly usage: readonly Usage[];
  readonly cost_micro: bigint;
  readonly error_code: string | null;
  readonly error_message: string | null;
  readonly duration_ms: bigint | null;
  readonly created_at: Date;
  readonly started_at: Date | null;
  readonly finished_at: Date | null;
}

/** A step of a playbook before anything has happened. */
export interface PendingStep {
  readonly id: string;
  readonly index: number;
  readonly key: string;
  readonly tool: string;
  readonly name: string;
  readonly input: unknown;
  readonly needs: readonly string[];
  readonly required: boolean;
}

/** Inserts all steps of a playbook in one statement. */
export async function insertPendingSteps(
  tx: Tx,
  run: { readonly id: string; readonly userId: string },
  steps: readonly PendingStep[],
): Promise<void> {
  await sql`insert into public.agent_steps (id, run_id, user_id, step_index, step_key, tool, name, input, needs, required)
    select s."id", ${run.id}, ${run.userId}, s."index", s."key", s."tool", s."name", s."input", s."needs", s."required"
    from jsonb_to_recordset(${json(steps)}) as s("id" uuid, "index" int, "key" text, "tool" public.tool_type, "name" text,
      "input" jsonb, "needs" text[], "required" boolean)
    order by s."index"`.execute(tx);
}

/** What a worker that has claimed a run must know of its steps, in order. */
export function loadStepsStatement(runId: string): RawBuilder<StepRow> {
  return sql`select * from public.agent_steps where run_id = ${runId} order by step_index`;
}

/** Steps after `after` in order, as the transaction's user may see them. */
export async function listSteps(tx: Tx, runId: string, after: number, limit: number): Promise<StepRow[]> {
  const { rows } = await sql<StepRow>`select * from public.agent_steps
    where run_id = ${runId} and step_index > ${after} order by step_index limit ${limit}`.execute(tx);
  return rows;
}

/** The billable steps of a run after `after`, for settlement. */
export async function listBillable(tx: Tx, runId: string, after: number, limit: number): Promise<StepRow[]> {
  const { rows } = await sql<StepRow>`select * from public.agent_steps
    where run_id = ${runId} and billable and step_index > ${after} order by step_index limit ${limit}`.execute(
    tx,
  );
  return rows;
}
