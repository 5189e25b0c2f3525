import { afterCommit, type Tx } from '@swissbrain/service-kit/database';
import { AppError } from '@swissbrain/service-kit/errors';
import { type CreateRunBody, createRunBody } from '@swissbrain/shared-schema/http/agent-runner';
import { closeRunRow } from '../store/closing.ts';
import { isLeaving } from '../store/deletions.ts';
import { findRun, type NewRun, type RunSummary } from '../store/runs.ts';
import { createRun } from './create-run.ts';
import { type PrepareDeps, type PreparedRun, prepareRun } from './prepare-run.ts';
import type { RunWakes } from './questions.ts';
import { cancelTree } from './request-cancel.ts';

/** A run that another service asks for, under the id that it has chosen. */
export interface RequestedRun {
  readonly id: string;
  readonly userId: string;
  readonly title: string;
  /** As a person would send it to start the run; not checked yet. */
  readonly body: unknown;
  /** The run on whose hold it draws; null when it has one of its own. */
  readonly parentRunId: string | null;
}

/** A run that stands for a request which nothing can be made of. */
function placeholder(request: RequestedRun): PreparedRun {
  return {
    id: request.id,
    kind: 'goal',
    mode: 'general',
    title: request.title.slice(0, 200) || 'Untitled',
    goal: request.title,
    playbook: null,
    steps: [],
    inputs: {},
    artifacts: [],
    estimate: [],
    approvals: 'destructive',
    budgetMicro: null,
  };
}

type Checked = {
  readonly prepared: PreparedRun;
  readonly problem?: { readonly code: string; readonly message: string };
};

async function check(request: RequestedRun, deps: PrepareDeps): Promise<Checked> {
  const refuse = (code: string, message: string) => ({
    prepared: placeholder(request),
    problem: { code, message },
  });
  const parsed = createRunBody.safeParse(request.body);
  if (!parsed.success) {
    const issues = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    return refuse('invalid_run', issues.join('; '));
  }
  const body: CreateRunBody = parsed.data;
  // Bytes are stored outside of transactions, and events do not carry them.
  if (Object.values(body.inputs).some((input) => typeof input === 'object')) {
    return refuse('invalid_run', 'a run that is started by an event takes no input files');
  }
  try {
    return { prepared: await prepareRun(request.userId, body, deps, { id: request.id }) };
  } catch (error) {
    if (!(error instanceof AppError) || error.status >= 500) throw error;
    return refuse(error.code, error.message);
  }
}

/** Where a run of the same user is, that run; it may have ended. */
async function parentOf(tx: Tx, request: RequestedRun): Promise<RunSummary | null | undefined> {
  if (request.parentRunId === null) return null;
  const parent = await findRun(tx, request.parentRunId);
  return parent?.user_id === request.userId ? parent : undefined;
}

/**
 * Starts a requested run once; what is asked for again, or was cancelled before, stays as it is. A request that cannot
 * run ends at once as failed, so that whoever asked learns why.
 */
export async function startRequestedRun(
  tx: Tx,
  request: RequestedRun,
  deps: PrepareDeps,
  wakes: RunWakes,
): Promise<void> {
  if (await findRun(tx, request.id)) return;
  // What asked for it goes with its user as well.
  if (await isLeaving(tx, request.userId)) return;
  const parent = await parentOf(tx, request);
  const { prepared, problem } = await check(request, deps);
  const owner = { userId: request.userId, tenantId: parent?.tenant_id ?? null };
  const origin: Pick<NewRun, 'parent'> = parent
    ? { parent: { runId: parent.id, rootRunId: parent.root_run_id, stepId: null } }
    : {};
  const orphaned = request.parentRunId !== null && (!parent || parent.finished_at !== null);
  const error = orphaned
    ? { code: 'parent_ended', message: 'the run that this one was to be part of has ended' }
    : problem;
  await createRun(
    tx,
    owner,
    error ? { ...prepared, steps: [], kind: 'goal', goal: request.title } : prepared,
    deps.tools,
    origin,
  );
  if (error) await closeRunRow(tx, { runId: request.id, status: 'failed', error });
  else afterCommit(tx, wakes.dispatcher);
}

/**
 * Cancels a run that another service asked for. When the cancel comes before the request, the run is made and cancelled:
 * the request then finds it.
 */
export async function cancelRequestedRun(
  tx: Tx,
  request: RequestedRun,
  deps: PrepareDeps,
  wakes: RunWakes,
): Promise<void> {
  const run = await findRun(tx, request.id);
  if (run && run.user_id !== request.userId) return;
  if (run) {
    await cancelTree(tx, request.id, wakes);
    return;
  }
  if (await isLeaving(tx, request.userId)) return;
  const parent = await parentOf(tx, request);
  const origin: Pick<NewRun, 'parent'> = parent
    ? { parent: { runId: parent.id, rootRunId: parent.root_run_id, stepId: null } }
    : {};
  const owner = { userId: request.userId, tenantId: parent?.tenant_id ?? null };
  await createRun(tx, owner, placeholder(request), deps.tools, origin);
  await closeRunRow(tx, { runId: request.id, status: 'cancelled', error: null });
}
