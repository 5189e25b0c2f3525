import type { Tx } from '@swissbrain/service-kit/database';
import { currentTraceparent } from '@swissbrain/service-kit/trace-context';
import { type RawBuilder, sql } from 'kysely';
import { finalStates, interval, json, liveStates } from './statements.ts';

/** A question as its row holds it. */
export interface QuestionRow {
  readonly id: string;
  readonly run_id: string;
  readonly step_id: string;
  readonly kind: 'question' | 'approval';
  readonly prompt: string;
  readonly choices: readonly string[] | null;
  readonly answer_schema: unknown;
  readonly tool: string | null;
  readonly tool_input: unknown;
  readonly default_answer: unknown;
  readonly status: 'open' | 'answered' | 'timed_out';
  readonly answer: unknown;
  readonly expires_at: Date;
  readonly answered_at: Date | null;
  readonly created_at: Date;
}

/** What a step asks; each step asks one question of each kind. */
export interface NewQuestion {
  readonly stepId: string;
  readonly kind: 'question' | 'approval';
  readonly prompt: string;
  readonly choices: readonly string[] | null;
  readonly answerSchema: unknown;
  readonly tool: string | null;
  readonly toolInput: unknown;
  readonly defaultAnswer: unknown;
  readonly timeoutMs: number;
}

const orNull = (value: unknown) => (value === null || value === undefined ? null : json(value));

/** Asks under the claim, with run.question_asked. No row when the claim does not hold or the step has asked before. */
export function askStatement(
  claim: { readonly runId: string; readonly attempt: number },
  question: NewQuestion,
): RawBuilder<QuestionRow> {
  return sql`with fence as (
      update public.agent_runs set run_seq = run_seq + 1
      where id = ${claim.runId} and attempt = ${claim.attempt} and status in ${liveStates} and cancel_requested_at is null
        and not exists (select from public.agent_questions where step_id = ${question.stepId} and kind = ${question.kind})
      returning id, user_id, root_run_id, run_seq
    ), asked as (
      insert into public.agent_questions (run_id, user_id, step_id, kind, prompt, choices, answer_schema, tool, tool_input,
        default_answer, expires_at)
      select id, user_id, ${question.stepId}, ${question.kind}, ${question.prompt}, ${orNull(question.choices)},
        ${orNull(question.answerSchema)}, ${question.tool}, ${orNull(question.toolInput)}, ${orNull(question.defaultAnswer)},
        clock_timestamp() + ${interval(question.timeoutMs)} from fence
      returning *
    ), event as (
      insert into public.event_outbox (source, aggregate_type, aggregate_id, aggregate_seq, type, user_id, root_id, run_id, run_seq, data, traceparent)
      select 'agent-runner', 'run', f.id, f.run_seq, 'run.question_asked', f.user_id, f.root_run_id, f.id, f.run_seq,
        jsonb_build_object('run_id', f.id, 'root_run_id', f.root_run_id, 'question_id', a.id, 'step_id', a.step_id,
          'kind', a.kind, 'prompt', a.prompt, 'expires_at', a.expires_at), ${currentTraceparent()}
      from fence f, asked a)
    select * from asked`;
}

/** The question of a step, if it has asked one of this kind. */
export function findAskedStatement(stepId: string, kind: NewQuestion['kind']): RawBuilder<QuestionRow> {
  return sql`select * from public.agent_questions where step_id = ${stepId} and kind = ${kind}`;
}

/** A question of a run, with its lock: of two answers one comes second. */
export async function lockQuestion(tx: Tx, runId: string, id: string): Promise<QuestionRow | undefined> {
  const { rows } = await sql<QuestionRow>`select * from public.agent_questions
    where id = ${id} and run_id = ${runId} for update`.execute(tx);
  return rows[0];
}

/** A page of a run's questions in the order they were asked; `created_at_text` keeps the microseconds for a cursor. */
export async function listQuestions(
  tx: Tx,
  runId: string,
  page: {
    readonly after: { readonly createdAt: string; readonly id: string } | undefined;
    readonly limit: number;
  },
): Promise<(QuestionRow & { created_at_text: string })[]> {
  const after = page.after
    ? sql`and (created_at, id) > (${page.after.createdAt}::timestamptz, ${page.after.id}::uuid)`
    : sql``;
  const { rows } = await sql<QuestionRow & { created_at_text: string }>`
    select *, created_at::text as created_at_text from public.agent_questions
    where run_id = ${runId} ${after} order by created_at, id limit ${page.limit}`.execute(tx);
  return rows;
}

/** The questions of a run that are open, oldest first. */
export async function listOpenQuestions(tx: Tx, runId: string): Promise<QuestionRow[]> {
  const { rows } = await sql<QuestionRow>`select * from public.agent_questions
    where run_id = ${runId} and status = 'open' order by created_at, id limit 1000`.execute(tx);
  return rows;
}

/** What a step waits for without holding a worker. */
export type Awaited =
  | { readonly for: 'answer'; readonly stepId: string; readonly kind: NewQuestion['kind'] }
  | { readonly for: 'child'; readonly runId: string };

/** True when one of these has come. Under the run's lock none comes afterwards without waking the run. */
export async function hasCome(tx: Tx, awaited: readonly Awaited[]): Promise<boolean> {
  const answers = awaited.filter((one) => one.for === 'answer');
  const children = awaited.filter((one) => one.for === 'child');
  const { rows } = await sql<{ found: boolean }>`select exists (
      select from unnest(${answers.map((one) => one.stepId)}::uuid[], ${answers.map((one) => one.kind)}::text[]) as a(step_id, kind)
        join public.agent_questions q using (step_id, kind) where q.status <> 'open')
    or exists (select from public.agent_runs
        where id = any(${children.map((one) => one.runId)}::uuid[]) and status in ${finalStates}) as found`.execute(
    tx,
  );
  return rows[0]?.found ?? false;
}

/**
 * Closes an open question, with run.question_answered under the run's lock, which the caller holds. A question whose
 * time is up takes no answer of its user: then `by` must be `timeout`. Undefined when it is not open to that.
 */
export async function closeQuestionRow(
  tx: Tx,
  id: string,
  close: { readonly by: 'user' | 'timeout'; readonly answer: unknown },
): Promise<QuestionRow | undefined> {
  const inTime =
    close.by === 'user' ? sql`expires_at > clock_timestamp()` : sql`expires_at <= clock_timestamp()`;
  const { rows } = await sql<QuestionRow>`with closed as (
      update public.agent_questions set status = ${close.by === 'user' ? 'answered' : 'timed_out'},
        answer = ${orNull(close.answer)}, answered_at = clock_timestamp()
      where id = ${id} and status = 'open' and ${inTime}
      returning *
    ), numbered as (
      update public.agent_runs r set run_seq = r.run_seq + 1, updated_at = clock_timestamp()
      from closed where r.id = closed.run_id returning r.id, r.user_id, r.root_run_id, r.run_seq
    ), event as (
      insert into public.event_outbox (source, aggregate_type, aggregate_id, aggregate_seq, type, user_id, root_id, run_id, run_seq, data, traceparent)
      select 'agent-runner', 'run', n.id, n.run_seq, 'run.question_answered', n.user_id, n.root_run_id, n.id, n.run_seq,
        jsonb_build_object('run_id', n.id, 'root_run_id', n.root_run_id, 'question_id', c.id, 'step_id', c.step_id,
          'kind', c.kind, 'by', ${close.by}::text), ${currentTraceparent()}
      from numbered n, closed c)
    select * from closed`.execute(tx);
  return rows[0];
}

/** Open questions whose time is up, of runs that have not ended. */
export function expiredStatement(
  limit: number,
): RawBuilder<{ id: string; run_id: string; default_answer: unknown }> {
  return sql`select q.id, q.run_id, q.default_answer from public.agent_questions q
    join public.agent_runs r on r.id = q.run_id
    where q.status = 'open' and q.expires_at <= clock_timestamp() and r.status not in ${finalStates}
    order by q.expires_at limit ${limit}`;
}
