import { currentTraceparent } from '@swissbrain/service-kit/trace-context';
import { type RawBuilder, sql } from 'kysely';
import type { StoredPayload } from '../domain/payload.ts';
import type { Usage } from '../domain/usage.ts';
import { json, kept, liveStates } from './statements.ts';

/** The end of one step. */
export interface StepFinish {
  readonly stepId: string;
  readonly status: 'completed' | 'failed';
  readonly output: unknown;
  /** Where the output is when it is too large for the row. */
  readonly storedOutput?: StoredPayload | null;
  readonly usage: readonly Usage[];
  readonly costMicro: bigint;
  readonly durationMs: number;
  readonly error: { readonly code: string; readonly message: string } | null;
}

/** A step that a goal run decides on while it runs; a playbook's steps have rows from the beginning. */
export interface NewStep {
  readonly stepId: string;
  readonly index: number;
  readonly key: string;
  readonly tool: string;
  readonly name: string;
  readonly input: unknown;
  readonly storedInput?: StoredPayload | null;
  readonly required: boolean;
}

export interface NewArtifact {
  readonly id: string;
  readonly stepId: string | null;
  readonly kind: 'input' | 'output' | 'workspace' | 'log' | 'payload';
  readonly name: string;
  readonly mediaType: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly storageKey: string;
}

export interface NewMessage {
  readonly index: number;
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  readonly content: unknown;
  readonly storedContent?: StoredPayload | null;
  readonly stepId: string | null;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** An event about the run; its place in the run's order is taken by the statement. */
export interface RunEvent {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** One step forward of a run, all of it or nothing. */
export interface Advance {
  readonly runId: string;
  /** The worker's claim: when the run has another attempt, has ended or is to be cancelled, nothing is written. */
  readonly attempt: number;
  readonly finish?: StepFinish;
  /** Rows that start: pending, or running under an attempt that is gone. */
  readonly start?: readonly string[];
  readonly insert?: NewStep;
  /** Rows that can never start. */
  readonly skip?: readonly string[];
  /** A required step failed: what is pending is skipped, what runs beside it is cancelled. */
  readonly stopRest?: boolean;
  readonly artifacts?: readonly NewArtifact[];
  /** The workspace as this step left it, in place of what was kept before; `unkept` where it could not be stored. */
  readonly workspace?: NewArtifact | 'unkept' | null;
  readonly messages?: readonly NewMessage[];
  readonly events: readonly RunEvent[];
  /** Nothing is written when a pause is on its way. */
  readonly unlessPausing?: boolean;
}

/** One id is a case of its own: for a list the planner may prefer to read every step of the run. */
const isOneOf = (ids: readonly string[]): RawBuilder<unknown> =>
  ids.length === 1 ? sql`s.id = ${ids[0]}` : sql`s.id = any(${ids}::uuid[])`;

/** What the usage of models is added up from stays in the row. */
function ofModel(output: unknown): unknown {
  if (typeof output !== 'object' || output === null) return {};
  return Object.fromEntries(Object.entries(output).filter(([key]) => key === 'model' || key === 'tokens'));
}

const finishPart = (finish: StepFinish): RawBuilder<unknown> => sql`, finished as (
    update public.agent_steps s set status = ${finish.status}, output = ${json(finish.storedOutput ? ofModel(finish.output) : finish.output)},${
      finish.storedOutput ? sql` output_ref = ${json(finish.storedOutput)},` : sql``
    } usage = ${json(finish.usage)},
      cost_micro = ${finish.costMicro}, duration_ms = ${finish.durationMs}, error_code = ${finish.error?.code ?? null},
      error_message = ${finish.error?.message ?? null}, finished_at = clock_timestamp()
    from fence where s.id = ${finish.stepId} and s.status = 'running')`;

const startPart = (ids: readonly string[], attempt: number): RawBuilder<unknown> => sql`, started as (
    update public.agent_steps s set status = 'running', attempt = ${attempt}, started_at = clock_timestamp()
    from fence where ${isOneOf(ids)} and s.status in ('pending', 'running'))`;

const insertPart = (step: NewStep, attempt: number): RawBuilder<unknown> => sql`, inserted as (
    insert into public.agent_steps (id, run_id, user_id, step_index, step_key, tool, name, input, input_ref, required, status, attempt, started_at)
    select ${step.stepId}, id, user_id, ${step.index}, ${step.key}, ${step.tool}::public.tool_type, ${step.name},
      ${json(kept(step.input, step.storedInput))}, ${json(step.storedInput ?? undefined)}, ${step.required}, 'running', ${attempt}, clock_timestamp() from fence)`;

const skipPart = (ids: readonly string[]): RawBuilder<unknown> => sql`, skipped as (
    update public.agent_steps s set status = 'skipped', finished_at = clock_timestamp()
    from fence where ${isOneOf(ids)} and s.status = 'pending')`;

const stopRestPart = (except: string): RawBuilder<unknown> => sql`, rest as (
    update public.agent_steps s set finished_at = clock_timestamp(),
      status = case when s.status = 'running' then 'cancelled' else 'skipped' end::public.agent_step_status
    from fence where s.run_id = fence.id and s.id <> ${except} and s.status in ('pending', 'running'))`;

const artifactsPart = (artifacts: readonly NewArtifact[]): RawBuilder<unknown> => sql`, artifacts as (
    insert into public.agent_artifacts (id, run_id, user_id, step_id, kind, name, media_type, size_bytes, sha256, storage_key)
    select a."id", fence.id, fence.user_id, a."stepId", a."kind", a."name", a."mediaType", a."sizeBytes", a."sha256", a."storageKey"
    from fence, jsonb_to_recordset(${json(artifacts)}) as a("id" uuid, "stepId" uuid, "kind" text, "name" text,
      "mediaType" text, "sizeBytes" bigint, "sha256" text, "storageKey" text)
    on conflict (run_id, kind, name, sha256, user_id) do nothing)`;

const messageColumns = ({ content, storedContent, ...message }: NewMessage) =>
  storedContent ? { ...message, content: {}, storedContent } : { ...message, content };
/** Of a run's workspace only the last state is kept. */
export const forgetWorkspacePart = (
  from: RawBuilder<unknown>,
  except: string,
): RawBuilder<unknown> => sql`, forgotten as (
    delete from public.agent_artifacts a using ${from} where a.run_id = ${from}.id and a.kind = 'workspace' and a.sha256 <> ${except})`;

const messagesPart = (messages: readonly NewMessage[]): RawBuilder<unknown> => sql`, messages as (
    insert into public.agent_messages (run_id, user_id, message_index, role, content, content_ref, step_id, input_tokens, output_tokens)
    select fence.id, fence.user_id, m."index", m."role", m."content", m."storedContent", m."stepId", m."inputTokens", m."outputTokens"
    from fence, jsonb_to_recordset(${json(messages.map(messageColumns))}) as m("index" int, "role" text, "content" jsonb, "storedContent" jsonb, "stepId" uuid,
      "inputTokens" bigint, "outputTokens" bigint))`;

/**
 * The hot statement of a run: checks the claim under the run's lock, then writes the end of a step, the start of
 * the next ones, artifacts, messages and events, all in one round trip. The triggers of agent_steps count, and
 * close the run when its last step has ended. Returns one row, or none when the claim no longer holds.
 */
export function advanceStatement(advance: Advance): RawBuilder<{ run_seq: bigint }> {
  const { runId, attempt, finish, start, insert, skip, stopRest, workspace, messages, events } = advance;
  const none = sql``;
  const kept = workspace && workspace !== 'unkept' ? workspace : null;
  const artifacts = [...(advance.artifacts ?? []), ...(kept ? [kept] : [])];
  const keyPart = workspace ? sql`, workspace_key = ${kept?.storageKey ?? ''}` : none;
  const count = events.length;
  return sql<{ run_seq: bigint }>`with fence as (
    update public.agent_runs r set run_seq = r.run_seq + ${count}${keyPart}
    where r.id = ${runId} and r.attempt = ${attempt} and r.status in ${liveStates} and r.cancel_requested_at is null${
      advance.unlessPausing ? sql` and r.pause_requested_at is null` : none
    }
    returning r.id, r.user_id, r.root_run_id, r.run_seq)${finish ? finishPart(finish) : none}${
      start?.length ? startPart(start, attempt) : none
    }${insert ? insertPart(insert, attempt) : none}${skip?.length ? skipPart(skip) : none}${
      stopRest && finish ? stopRestPart(finish.stepId) : none
    }${artifacts.length > 0 ? artifactsPart(artifacts) : none}${
      workspace ? forgetWorkspacePart(sql`fence`, kept?.sha256 ?? '') : none
    }${messages?.length ? messagesPart(messages) : none}, events as (
    insert into public.event_outbox (source, aggregate_type, aggregate_id, aggregate_seq, type, user_id, root_id, run_id, run_seq, data, traceparent)
    select 'agent-runner', 'run', fence.id, fence.run_seq - ${count} + e.place, e.event ->> 'type', fence.user_id, fence.root_run_id,
      fence.id, fence.run_seq - ${count} + e.place, e.event -> 'data', ${currentTraceparent()}
    from fence, jsonb_array_elements(${json(events)}) with ordinality as e(event, place))
  select run_seq from fence`;
}
