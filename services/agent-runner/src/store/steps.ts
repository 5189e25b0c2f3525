import type { Tx } from '@swissbrain/service-kit/database';
import { type RawBuilder, sql } from 'kysely';
import type { StoredPayload } from '../domain/payload.ts';
import type { StepState } from '../domain/progress.ts';
import type { FailedTry } from '../domain/retry.ts';
import type { Usage } from '../domain/usage.ts';
import { json, kept, liveStates } from './statements.ts';

/** A step as its row holds it. */
export interface StepRow {
  readonly id: string;
  readonly run_id: string;
  readonly step_index: number;
  readonly step_key: string;
  readonly tool: string;
  readonly name: string;
  readonly input: unknown;
  /** Where the input is when it is too large for the row. */
  readonly input_ref: StoredPayload | null;
  readonly output: unknown;
  readonly output_ref: StoredPayload | null;
  readonly needs: readonly string[];
  readonly required: boolean;
  readonly status: StepState;
  readonly attempt: number;
  readonly tries: readonly FailedTry[];
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
  readonly storedInput: StoredPayload | null;
  readonly needs: readonly string[];
  readonly required: boolean;
}

/** Inserts all steps of a playbook in one statement. */
export async function insertPendingSteps(
  tx: Tx,
  run: { readonly id: string; readonly userId: string },
  steps: readonly PendingStep[],
): Promise<void> {
  await sql`insert into public.agent_steps (id, run_id, user_id, step_index, step_key, tool, name, input, input_ref, needs, required)
    select s."id", ${run.id}, ${run.userId}, s."index", s."key", s."tool", s."name", s."input", s."storedInput", s."needs", s."required"
    from jsonb_to_recordset(${json(steps.map((step) => ({ ...step, input: kept(step.input, step.storedInput) })))}) as s("id" uuid, "index" int, "key" text, "tool" public.tool_type, "name" text,
      "input" jsonb, "storedInput" jsonb, "needs" text[], "required" boolean)
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

/**
 * Writes beforehand how a step has ended if nobody writes its end: the call that now begins must never be made again.
 * Under the claim; says whether the step had been marked by an earlier worker.
 */
export function beginOnceStatement(
  claim: { readonly runId: string; readonly attempt: number },
  stepId: string,
  outcome: { readonly code: string; readonly message: string },
): RawBuilder<{ begun: boolean }> {
  return sql`with before as (
      select s.id, s.error_code is not null as begun from public.agent_steps s join public.agent_runs r on r.id = s.run_id
      where s.id = ${stepId} and s.status = 'running' and r.id = ${claim.runId} and r.attempt = ${claim.attempt}
        and r.status in ${liveStates} and r.cancel_requested_at is null
      for no key update of r, s
    ), marked as (
      update public.agent_steps s set error_code = ${outcome.code}, error_message = ${outcome.message}
      from before where s.id = before.id and not before.begun)
    select begun from before`;
}

/** Notes under the claim that a call of a step has failed and will be made again. No row when the claim does not hold. */
export function noteTryStatement(
  claim: { readonly runId: string; readonly attempt: number },
  stepId: string,
  failed: FailedTry,
): RawBuilder<{ id: string }> {
  return sql`update public.agent_steps s set tries = s.tries || ${json([failed])}
    from (select id from public.agent_runs where id = ${claim.runId} and attempt = ${claim.attempt}
      and status in ${liveStates} and cancel_requested_at is null for no key update) r
    where s.id = ${stepId} and s.run_id = r.id and s.status = 'running' returning s.id`;
}

/**
 * Inserts steps of another run, which have ended, as steps of this one: with their results and without their usage, since
 * they were billed there.
 */
export async function insertCopiedSteps(
  tx: Tx,
  run: { readonly id: string; readonly userId: string },
  copies: readonly { readonly id: string; readonly from: string; readonly index: number }[],
): Promise<void> {
  await sql`insert into public.agent_steps (id, run_id, user_id, step_index, step_key, tool, name, input, input_ref, output, output_ref, needs, required,
      status, error_code, error_message, duration_ms, finished_at)
    select c."id", ${run.id}, ${run.userId}, c."index", s.step_key, s.tool, s.name, s.input, s.input_ref, s.output, s.output_ref, s.needs, s.required,
      s.status, s.error_code, s.error_message, s.duration_ms, s.finished_at
    from jsonb_to_recordset(${json(copies)}) as c("id" uuid, "from" uuid, "index" int)
      join public.agent_steps s on s.id = c."from"
    order by c."index"`.execute(tx);
}
