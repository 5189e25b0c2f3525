import { z } from 'zod';
import { usageLine } from '../events/agent-runner.ts';
import { uuid } from '../ids.ts';
import { pageOf, timestamp } from './page.ts';

/** The states of a run; the last four are final. */
export const runStatus = z.enum([
  'pending',
  'queued',
  'planning',
  'running',
  'waiting_input',
  'paused',
  'completed',
  'failed',
  'cancelled',
  'timed_out',
]);
export type RunStatus = z.infer<typeof runStatus>;

export const stepStatus = z.enum(['pending', 'running', 'completed', 'failed', 'skipped', 'cancelled']);
export type StepStatus = z.infer<typeof stepStatus>;

export const agentMode = z.enum([
  'general',
  'chat',
  'research',
  'wide_research',
  'coding',
  'data_analysis',
  'writing',
  'presentation',
  'design',
  'browser',
  'automation',
  'playbook',
]);

/** A decimal number of credits with at most six decimals, as text: `"12.5"`. */
export const creditsText = z
  .string()
  .regex(/^\d{1,12}(\.\d{1,6})?$/, 'a decimal number of credits with at most six decimals, as a string');

/** An amount of credits as it is shown; below zero where more was used than there was. */
export const shownCredits = z.string().regex(/^-?\d+(\.\d{1,6})?$/);
const keyed = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_-]{0,63}$/, 'a letter, then up to 63 of A-Z a-z 0-9 _ -');
const workspacePath = z
  .string()
  .min(1)
  .max(512)
  .refine((path) => !path.startsWith('/') && !path.split('/').includes('..'), 'a path inside the workspace');

/** What a playbook asks of its caller. A `file` arrives in the workspace at `inputs/<file name>`. */
export const playbookInput = z.strictObject({
  type: z.enum(['string', 'number', 'boolean', 'file']),
  description: z.string().max(2_000).optional(),
  /** Used when the caller gives nothing. For a file it is a path that the command line resolves. */
  default: z.union([z.string(), z.number(), z.boolean()]).optional(),
});

/** Makes a call that has failed again, so often at most, after a pause that doubles each time up to a minute. */
export const stepRetry = z.strictObject({
  /** Calls in all. */
  attempts: z.number().int().min(2).max(10),
  /** The first pause. */
  backoff_seconds: z.number().min(0).max(60).default(1),
});

/** One step. `with` is the tool's own input; its strings may hold `${{ … }}` references. */
export const playbookStep = z.strictObject({
  id: keyed,
  name: z.string().min(1).max(200).optional(),
  tool: z.string().min(1).max(64),
  needs: z.array(keyed).max(1_000).default([]),
  with: z.record(z.string(), z.unknown()).default({}),
  /** Workspace paths that are kept as artifacts when the step has succeeded. */
  artifacts: z.array(workspacePath).max(100).default([]),
  /** The run fails when a required step fails; what needs a failed optional step is skipped. */
  required: z.boolean().default(true),
  /** Only for calls that may be made again without anything happening twice: those that read, models, searches. */
  retry: stepRetry.optional(),
});

/** A list of steps whose order follows from `needs` and from references to outputs of other steps. */
export const playbookSchema = z.strictObject({
  name: z.string().min(1).max(200),
  description: z.string().max(5_000).optional(),
  inputs: z.record(keyed, playbookInput).default({}),
  steps: z.array(playbookStep).min(1, 'a playbook has at least one step').max(10_000),
});
export type PlaybookBody = z.infer<typeof playbookSchema>;

export const fileName = z
  .string()
  .min(1)
  .max(255)
  .refine((name) => !/[/\\\0]/.test(name) && name !== '.' && name !== '..', 'a file name without a path');

/** A file given to a run; the name is the last part of a path. */
export const fileInput = z.strictObject({
  filename: fileName,
  content_base64: z.base64(),
});

/**
 * Which calls of tools need the user's approval: those of destructive tools, none (whoever creates the run approves
 * them all), or those of exactly the tools that are named.
 */
export const approvalPolicy = z.union([
  z.enum(['destructive', 'never']),
  z.array(z.string().min(1).max(64)).max(100),
]);
export type ApprovalPolicy = z.infer<typeof approvalPolicy>;

/** A file that is stored already: an upload, or what another run of the same user has left. */
export const artifactInput = z.strictObject({
  artifact_id: uuid,
  /** Without it the last part of the artifact's name. */
  filename: fileName.optional(),
});

export const createRunBody = z.strictObject({
  /** Checked by the service itself, so that an error can name the step. */
  playbook: playbookSchema.optional(),
  goal: z.string().min(1).max(20_000).optional(),
  mode: agentMode.optional(),
  title: z.string().min(1).max(200).optional(),
  inputs: z
    .record(keyed, z.union([z.string(), z.number(), z.boolean(), fileInput, artifactInput]))
    .default({}),
  /** The most this run may spend; caps the hold and every extension of it. */
  budget: creditsText.optional(),
  approvals: approvalPolicy.default('destructive'),
});
export type CreateRunBody = z.infer<typeof createRunBody>;

/** What a fork changes; steps before `from_step` that have completed and are not edited are taken over. */
export const forkRunBody = z.strictObject({
  /** Index of the first step to do again; without it the first that has not completed. */
  from_step: z.number().int().min(0).max(1_000_000).optional(),
  /** Takes the place of the playbook of the run. */
  playbook: playbookSchema.optional(),
  /** Values to replace; files stay as they are. */
  inputs: z.record(keyed, z.union([z.string(), z.number(), z.boolean()])).optional(),
  title: z.string().min(1).max(200).optional(),
  budget: creditsText.optional(),
  approvals: approvalPolicy.optional(),
});
export type ForkRunBody = z.infer<typeof forkRunBody>;
export const retryRunBody = forkRunBody.pick({ from_step: true });
export const replayRunBody = forkRunBody.pick({ playbook: true, inputs: true });

/** A dry run from recorded results. */
export const replayView = z.object({
  run_id: uuid,
  /** True when every step has a recorded result that still holds. */
  same: z.boolean(),
  first_difference: z.string().nullable(),
  steps: z.array(
    z.object({
      key: z.string(),
      index: z.number().int(),
      verdict: z.enum(['recorded', 'differs', 'not_recorded', 'not_reached']),
      reason: z.string().nullable(),
      output: z.unknown(),
    }),
  ),
});
export type ReplayView = z.infer<typeof replayView>;

export const runFailure = z.object({ code: z.string(), message: z.string() });

export const runView = z.object({
  id: uuid,
  kind: z.enum(['playbook', 'goal']),
  mode: agentMode,
  title: z.string(),
  goal: z.string().nullable(),
  status: runStatus,
  /** True from the request until the run has ended. */
  cancel_requested: z.boolean(),
  /** Null unless a pause is on its way or the run is paused. */
  pause_reason: z.enum(['user', 'credits']).nullable(),
  parent_run_id: uuid.nullable(),
  root_run_id: uuid,
  forked_from: uuid.nullable(),
  attempt: z.number().int(),
  /** The place of the run's newest event; where to follow from. */
  run_seq: z.number().int(),
  steps: z.object({
    total: z.number().int(),
    open: z.number().int(),
    completed: z.number().int(),
    failed: z.number().int(),
  }),
  credits: z.object({ held: shownCredits, consumed: shownCredits, budget: shownCredits.nullable() }),
  output: z.unknown(),
  error: runFailure.nullable(),
  created_at: timestamp,
  queued_at: timestamp.nullable(),
  started_at: timestamp.nullable(),
  finished_at: timestamp.nullable(),
});
export type RunView = z.infer<typeof runView>;

export const runPage = pageOf(runView);

export const stepView = z.object({
  id: uuid,
  key: z.string(),
  index: z.number().int(),
  name: z.string(),
  tool: z.string(),
  needs: z.array(z.string()),
  required: z.boolean(),
  status: stepStatus,
  attempt: z.number().int(),
  input: z.unknown(),
  output: z.unknown(),
  usage: z.array(usageLine),
  cost: shownCredits,
  duration_ms: z.number().int().nullable(),
  /** How calls of this step ended that were made again; their usage is part of the step's. */
  tries: z.array(z.object({ code: z.string(), message: z.string() })),
  error: runFailure.nullable(),
  started_at: timestamp.nullable(),
  finished_at: timestamp.nullable(),
});
export type StepView = z.infer<typeof stepView>;
export const stepPage = z.object({ items: z.array(stepView), next_after: z.number().int().nullable() });

export const artifactKind = z.enum(['input', 'output', 'workspace', 'log', 'upload']);

export const artifactView = z.object({
  id: uuid,
  /** Null for an upload. */
  run_id: uuid.nullable(),
  step_id: uuid.nullable(),
  kind: artifactKind,
  name: z.string(),
  media_type: z.string(),
  size_bytes: z.number().int(),
  sha256: z.string(),
  created_at: timestamp,
});
export type ArtifactView = z.infer<typeof artifactView>;
export const artifactList = z.object({ items: z.array(artifactView) });

/** An artifact with a link that needs no token and stops working at `url_expires_at`. */
export const artifactLinkView = artifactView.extend({ url: z.url(), url_expires_at: timestamp });

export const messageView = z.object({
  id: uuid,
  index: z.number().int(),
  role: z.string(),
  content: z.unknown(),
  step_id: uuid.nullable(),
  input_tokens: z.number().int().nullable(),
  output_tokens: z.number().int().nullable(),
  created_at: timestamp,
});
export const messagePage = z.object({ items: z.array(messageView), next_after: z.number().int().nullable() });

/** One frame of a run's event stream: `id` is `run_seq`, `event` the type, `data` this object. */
export const runEventView = z.object({
  id: uuid,
  type: z.string(),
  version: z.number().int(),
  run_seq: z.number().int(),
  time: timestamp,
  data: z.record(z.string(), z.unknown()),
});
export type RunEventView = z.infer<typeof runEventView>;

/**
 * A piece of what a model says, in frames `delta` of a run's event stream, without an id: live only, never repeated.
 * `offset` counts the characters of this answer before it; 0 begins the answer, also anew.
 */
export const runDelta = z.object({
  run_id: uuid,
  step_id: uuid,
  attempt: z.number().int(),
  offset: z.number().int().nonnegative(),
  text: z.string(),
});
export type RunDelta = z.infer<typeof runDelta>;

export const toolView = z.object({
  name: z.string(),
  description: z.string(),
  available: z.boolean(),
  /** Why it is not available, and what to set; null when it is. */
  reason: z.string().nullable(),
  /** What a call may change: nothing, what can be undone, what cannot (the user approves it). */
  effect: z.enum(['read', 'write', 'destructive']),
  /** After a crash in the middle: made again, looked up by its step, or ended as `unknown`. */
  resume: z.enum(['repeat', 'lookup', 'unknown']),
  /** A call is given up after so long. */
  timeout_seconds: z.number(),
  /** Operations of the price list; empty where it costs nothing here. */
  charged_as: z.array(z.string()),
  input_schema: z.record(z.string(), z.unknown()),
});
export const toolList = z.object({ items: z.array(toolView) });

export const questionStatus = z.enum(['open', 'answered', 'timed_out', 'withdrawn']);
export const questionView = z.object({
  id: uuid,
  run_id: uuid,
  step_id: uuid,
  kind: z.enum(['question', 'approval']),
  prompt: z.string(),
  /** The answers there are; null where any will do. */
  choices: z.array(z.string()).nullable(),
  /** JSON Schema of the answer; null where any will do. */
  answer_schema: z.unknown(),
  /** What is to be approved; null for a question. */
  tool: z.string().nullable(),
  tool_input: z.unknown(),
  default_answer: z.unknown(),
  /** `withdrawn`: the run ended before there was an answer. */
  status: questionStatus,
  answer: z.unknown(),
  expires_at: timestamp,
  answered_at: timestamp.nullable(),
  created_at: timestamp,
});
export type QuestionView = z.infer<typeof questionView>;
export const questionPage = pageOf(questionView);
export const questionParams = z.object({ id: uuid, question_id: uuid });
export const listQuestionsQuery = z.object({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: z.string().max(500).optional(),
});
/**
 * Any JSON: a body is nothing else, and a description by reference to itself is more than most readers of OpenAPI take.
 * Of an approval it is `approve` or `deny`.
 */
export const answerBody = z.strictObject({
  answer: z.unknown().refine((answer) => answer !== undefined, { error: 'is required' }),
});

/** Several values of one query parameter, with commas between them. */
const listOf = <Value extends z.ZodType<string, string>>(value: Value) =>
  z
    .string()
    .max(300)
    .transform((text) => text.split(','))
    .pipe(z.array(value).min(1).max(20));

export const runParams = z.object({ id: uuid });
export const listRunsQuery = z.object({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: z.string().max(500).optional(),
  /** One or several with commas: `running,paused`. */
  status: listOf(runStatus).optional(),
  mode: listOf(agentMode).optional(),
  kind: z.enum(['playbook', 'goal']).optional(),
  /** Made at this moment or later. */
  created_after: timestamp.optional(),
  /** Made before this moment. */
  created_before: timestamp.optional(),
  /** The runs right below this one. */
  parent_run_id: uuid.optional(),
  /** The whole tree of a run, itself included. */
  root_run_id: uuid.optional(),
  /** Forks and retries of a run. */
  forked_from: uuid.optional(),
  /** True: only runs of their own, none below another. */
  roots_only: z.stringbool().optional(),
});
/** Pages of numbered rows: everything after `after`, at most `limit`. */
export const numberedQuery = z.object({
  after: z.coerce.number().int().min(-1).default(-1),
  limit: z.coerce.number().int().min(1).max(500).default(200),
});
/** `Last-Event-ID` wins over `after`; both name the last event already seen, 0 for none. */
export const followQuery = z.object({ after: z.coerce.number().int().min(0).optional() });
export const contentQuery = z.object({
  expires: z.string().regex(/^\d{1,12}$/),
  signature: z.string().min(1).max(200),
});

/** The words that say it is meant. */
export const deleteMeBody = z.strictObject({ confirm: z.literal('delete everything') });
export const deletionView = z.object({
  id: uuid,
  status: z.enum(['under_way', 'done']),
  /** Runs are cancelled, files deleted, rows deleted, late files looked for. */
  stage: z.enum(['runs', 'files', 'rows', 'rest', 'done']),
  runs_cancelled: z.number().int(),
  runs_deleted: z.number().int(),
  files_deleted: z.number().int(),
  requested_at: timestamp,
  finished_at: timestamp.nullable(),
});
export type DeletionView = z.infer<typeof deletionView>;
