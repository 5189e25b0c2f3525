import { z } from 'zod';
import { microAmount } from '../amount.ts';
import { uuid } from '../ids.ts';
import { defineEvent } from './envelope.ts';

/** A quantity of a priced operation, as an integer string: milliseconds, tokens, items, actions. */
export const usageLine = z.object({
  operation: z.string().min(1).max(100),
  quantity: z.string().regex(/^\d{1,18}$/),
});
export type UsageLine = z.infer<typeof usageLine>;

const runRef = { run_id: uuid, root_run_id: uuid };
const failure = z.object({ code: z.string(), message: z.string() });

const runEvent = <Shape extends z.ZodRawShape>(type: `${string}.${string}`, shape: Shape) =>
  defineEvent({
    type,
    version: 1,
    source: 'agent-runner',
    aggregate: 'run',
    data: z.object({ ...runRef, ...shape }),
  });

export const runRequested = runEvent('run.requested', {
  parent_run_id: uuid.nullable(),
  tenant_id: uuid.nullable(),
  mode: z.string(),
  title: z.string(),
  /** Worst case per operation; credits prices it to size the hold. */
  estimate: z.array(usageLine),
  /** The most the user will spend on this run; caps the hold and every extension. */
  budget_micro: microAmount.nullable(),
});
export const runQueued = runEvent('run.queued', { reservation_id: uuid });
export const runStarted = runEvent('run.started', { attempt: z.number().int().positive() });

/** Why a run that waits holds no worker: for answers of its user, or for runs that it started. */
const waitsFor = z.enum(['input', 'children']);
export const runWaiting = runEvent('run.waiting', {
  waits_for: waitsFor,
  /** The questions that are open; empty when it waits for children alone. */
  questions: z.array(
    z.object({
      question_id: uuid,
      step_id: uuid,
      kind: z.enum(['question', 'approval']),
      prompt: z.string(),
    }),
  ),
});
/** Held by its user, or by credits until there are more of them. Nothing is begun until it is resumed. */
export const runPaused = runEvent('run.paused', { reason: z.enum(['user', 'credits']) });
/** Back in the waiting line after it waited or was paused; run.started follows when a worker has it. */
export const runResumed = runEvent('run.resumed', { after: z.enum(['waiting_input', 'paused']) });
/** Its sandbox is gone. The workspace is put back in another as the last step left it, and what ran goes on there. */
export const runSessionLost = runEvent('run.session_lost', {
  /** The one that is gone. */
  session_no: z.number().int().positive(),
  code: z.enum(['out_of_memory', 'disk_full', 'evicted', 'node_lost', 'deadline', 'unreachable', 'ended']),
  message: z.string(),
});
const question = {
  question_id: uuid,
  step_id: uuid,
  kind: z.enum(['question', 'approval']),
};
/** A step asks; the run may go on with others beside it. */
export const runQuestionAsked = runEvent('run.question_asked', {
  ...question,
  prompt: z.string(),
  expires_at: z.iso.datetime({ offset: true }),
});
/** The answer itself stays with the question. */
export const runQuestionAnswered = runEvent('run.question_answered', {
  ...question,
  by: z.enum(['user', 'timeout']),
});

const step = {
  step_id: uuid,
  step_key: z.string(),
  step_index: z.number().int().nonnegative(),
  tool: z.string(),
  attempt: z.number().int().positive(),
};
export const stepStarted = runEvent('step.started', step);
export const stepCompleted = runEvent('step.completed', {
  ...step,
  usage: z.array(usageLine),
  duration_ms: z.number().int().nonnegative(),
});
export const stepFailed = runEvent('step.failed', {
  ...step,
  usage: z.array(usageLine),
  duration_ms: z.number().int().nonnegative(),
  error: failure,
});
export const artifactCreated = runEvent('artifact.created', {
  artifact_id: uuid,
  step_id: uuid.nullable(),
  name: z.string(),
  media_type: z.string(),
  size_bytes: z.number().int().nonnegative(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

/** What credits needs to settle: a run settles when all these steps are recorded. */
const closing = {
  attempt: z.number().int().nonnegative(),
  billable_steps: z.number().int().nonnegative(),
  /** Null when there are more than 1,000; then the count alone decides and rpc lists them. */
  billable_step_ids: z.array(uuid).nullable(),
  steps: z.number().int().nonnegative(),
  error: failure.nullable(),
};
export const runCompleted = runEvent('run.completed', closing);
export const runFailed = runEvent('run.failed', closing);
export const runCancelled = runEvent('run.cancelled', closing);
export const runTimedOut = runEvent('run.timed_out', closing);

export const agentRunnerEvents = [
  runRequested,
  runQueued,
  runStarted,
  runWaiting,
  runPaused,
  runResumed,
  runQuestionAsked,
  runQuestionAnswered,
  runSessionLost,
  stepStarted,
  stepCompleted,
  stepFailed,
  artifactCreated,
  runCompleted,
  runFailed,
  runCancelled,
  runTimedOut,
] as const;
