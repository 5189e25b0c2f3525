import { formatCredits } from '@swissbrain/shared-schema/amount';
import type {
  ArtifactView,
  QuestionView,
  RunEventView,
  RunView,
  StepView,
} from '@swissbrain/shared-schema/http/agent-runner';
import { agentMode, runStatus } from '@swissbrain/shared-schema/http/agent-runner';
import type { OpenMessage, OpenRun, OpenStep } from '../operations/open-rows.ts';
import type { ArtifactRow } from '../store/artifacts.ts';
import type { RunEventRow } from '../store/events.ts';
import type { QuestionRow } from '../store/questions.ts';

const iso = (time: Date | null) => time?.toISOString() ?? null;
const failure = (code: string | null, message: string | null) =>
  code === null ? null : { code, message: message ?? code };

/** A run as the API shows it. */
export function runView(run: OpenRun): RunView {
  return {
    id: run.id,
    kind: run.kind,
    mode: agentMode.parse(run.mode),
    title: run.title,
    goal: run.goal,
    status: runStatus.parse(run.status),
    cancel_requested: run.cancel_requested_at !== null && run.finished_at === null,
    pause_reason: run.finished_at === null ? run.pause_reason : null,
    parent_run_id: run.parent_run_id,
    root_run_id: run.root_run_id,
    forked_from: run.forked_from,
    attempt: run.attempt,
    run_seq: Number(run.run_seq),
    steps: {
      total: run.step_count,
      open: run.open_steps,
      completed: run.completed_steps,
      failed: run.failed_steps,
    },
    credits: {
      held: formatCredits(run.held_micro),
      consumed: formatCredits(run.consumed_micro),
      budget: run.budget_micro === null ? null : formatCredits(run.budget_micro),
    },
    output: run.output,
    error: failure(run.error_code, run.error_message),
    created_at: run.created_at.toISOString(),
    queued_at: iso(run.queued_at),
    started_at: iso(run.started_at),
    finished_at: iso(run.finished_at),
  };
}

/** A step as the API shows it. */
export function stepView(step: OpenStep): StepView {
  return {
    id: step.id,
    key: step.step_key,
    index: step.step_index,
    name: step.name,
    tool: step.tool,
    needs: [...step.needs],
    required: step.required,
    status: step.status,
    attempt: step.attempt,
    input: step.input,
    output: step.output,
    usage: [...step.usage],
    cost: formatCredits(step.cost_micro),
    duration_ms: step.duration_ms === null ? null : Number(step.duration_ms),
    tries: step.tries.map(({ code, message }) => ({ code, message })),
    // What is written beforehand, for the case that nobody writes the end, is no failure yet.
    error: step.status === 'running' ? null : failure(step.error_code, step.error_message),
    started_at: iso(step.started_at),
    finished_at: iso(step.finished_at),
  };
}

/** A question as the API shows it; one that is open when its run ends takes no answer any more. */
export function questionView(question: QuestionRow, ended: boolean): QuestionView {
  return {
    id: question.id,
    run_id: question.run_id,
    step_id: question.step_id,
    kind: question.kind,
    prompt: question.prompt,
    choices: question.choices === null ? null : [...question.choices],
    answer_schema: question.answer_schema,
    tool: question.tool,
    tool_input: question.tool_input,
    default_answer: question.default_answer,
    status: ended && question.status === 'open' ? 'withdrawn' : question.status,
    answer: question.answer,
    expires_at: question.expires_at.toISOString(),
    answered_at: iso(question.answered_at),
    created_at: question.created_at.toISOString(),
  };
}

/** An artifact as the API shows it, without a link. */
export function artifactView(artifact: ArtifactRow): ArtifactView {
  return {
    id: artifact.id,
    run_id: artifact.run_id,
    step_id: artifact.step_id,
    kind: artifact.kind,
    name: artifact.name,
    media_type: artifact.media_type,
    size_bytes: Number(artifact.size_bytes),
    sha256: artifact.sha256,
    created_at: artifact.created_at.toISOString(),
  };
}

/** A message as the API shows it. */
export function messageView(message: OpenMessage) {
  return {
    id: message.id,
    index: message.message_index,
    role: message.role,
    content: message.content,
    step_id: message.step_id,
    input_tokens: Number(message.input_tokens),
    output_tokens: Number(message.output_tokens),
    created_at: message.created_at.toISOString(),
  };
}

/** An event as clients follow it. */
export function eventView(event: RunEventRow): RunEventView {
  return {
    id: event.id,
    type: event.type,
    version: event.version,
    run_seq: Number(event.run_seq),
    time: event.created_at.toISOString(),
    data: { ...event.data },
  };
}
