import { approvalPolicy, playbookSchema } from '@swissbrain/shared-schema/http/agent-runner';
import { z } from 'zod';
import { createBudget } from '../domain/budget.ts';
import {
  type Claim,
  type ClaimedRun,
  ClaimLost,
  claimRun,
  handOver,
  nameSession,
  raiseSession,
  renewLeases,
} from '../operations/claims.ts';
import { closeRun } from '../operations/close-run.ts';
import { openGiven } from '../operations/open-rows.ts';
import type { StoredInput } from '../operations/prepare-run.ts';
import { isRunLive } from '../operations/reap-runs.ts';
import { wakeParent } from '../operations/start-child.ts';
import { ObjectStoreError } from '../storage/object-store.ts';
import type { Engine } from './engine.ts';
import { runGoal } from './goal-loop.ts';
import { leaveRun } from './leave.ts';
import type { LiveRun } from './live-runs.ts';
import { runPlaybook } from './playbook-executor.ts';
import { readReservation } from './reservation.ts';
import type { RunContext } from './run-context.ts';
import { boundError } from './step-events.ts';
import { RunFailed, RunStopped } from './stops.ts';
import { createWaits } from './waits.ts';
import { createWorkspace } from './workspace.ts';

const storedOptions = z.object({ approvals: approvalPolicy.default('destructive') });
/** Tools that leave nothing in the workspace, or pictures, with which it is kept at once. */
const outsideSandbox: ReadonlySet<string> = new Set([
  ...['llm', 'search', 'connector', 'wide_research', 'memory', 'schedule', 'collab', 'human'],
]);
const storedInputs = z.record(
  z.string(),
  z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('value'), value: z.union([z.string(), z.number(), z.boolean()]) }),
    z.object({ kind: z.literal('file'), path: z.string(), name: z.string(), storageKey: z.string() }),
  ]),
);

/** How the work on a claimed run ended for this worker. */
type Outcome =
  | { readonly kind: 'closed' }
  | { readonly kind: 'left' }
  /** It waits, and its row says so. */
  | { readonly kind: 'rests' }
  | { readonly kind: 'pause' }
  | {
      readonly kind: 'close';
      readonly status: 'failed' | 'cancelled' | 'timed_out';
      readonly code?: string;
      readonly message?: string;
    };

/** The run with what was too large for its row; undefined when that is lost, and the run ended by it. */
async function openClaimed(
  { database, objects }: Engine,
  claimed: ClaimedRun,
  { claim, signal }: LiveRun,
): Promise<ClaimedRun | undefined> {
  try {
    return { ...claimed, run: await openGiven(objects, claimed.run, signal) };
  } catch (error) {
    if (!(error instanceof ObjectStoreError)) throw error;
    await closeRun(database, { ...claim, status: 'failed', error: contentLost(error) });
    return undefined;
  }
}

const contentLost = ({ message }: ObjectStoreError) => ({
  code: 'content_lost',
  message: `the storage has lost a part of the run: ${message}`,
});

function createContext(engine: Engine, claimed: ClaimedRun, live: LiveRun): RunContext {
  const { run, steps } = claimed;
  const { database, rpc, objects, driver, tools, choice, modes, deltas, clock, settings } = engine;
  const { claim, signal } = live;
  const { prices, limits } = readReservation(run.reservation);
  const inputs: Record<string, StoredInput> = storedInputs.parse(run.inputs);
  const log = engine.log.child({ run_id: run.id, attempt: claim.attempt });
  const workspace = createWorkspace({
    ...{ driver, objects, log, limits, signal },
    ownerId: run.user_id,
    runId: run.id,
    sessionNo: run.session_no,
    sessionName: run.session_name,
    inputs: Object.values(inputs),
    snapshotKey: run.workspace_key,
    maxSnapshotBytes: settings.workspaceMaxBytes,
    wasUsed:
      run.workspace_key !== null ||
      steps.some((step) => step.started_at !== null && !outsideSandbox.has(step.tool)),
    isFresh: () => !steps.some((step) => step.started_at !== null),
    raiseSession: (lost, { code, why }) =>
      raiseSession(database, claim, { sessionNo: lost, code, message: `its sandbox was lost: ${why}` }),
    nameSession: (sessionNo, name) => nameSession(database, claim, { sessionNo, name }),
  });
  const waits = createWaits({
    signal,
    rest: (awaited) => leaveRun({ run, claim, database, workspace, log }, awaited),
    onLook: live.onLook,
    onRest: () => live.stop('waiting'),
    onFailure: live.fail,
  });
  return {
    ...{
      run,
      claim,
      inputs,
      signal,
      log,
      clock,
      database,
      objects,
      tools,
      choice,
      deltas,
      settings,
      live,
      waits,
      workspace,
    },
    approvals: storedOptions.parse(run.options).approvals,
    mode: modes.get(run.mode),
    sandboxSeconds: limits.seconds,
    budget: createBudget(prices, run.held_micro, run.consumed_micro),
    hold: {
      database,
      rpc,
      claim,
      signal,
      reservationId: run.reservation_id ?? '',
      rests: run.rests,
      budgetMicro: run.budget_micro,
    },
  };
}

/** A write was refused: because a cancel is on its way, or because the run is not this worker's any more. */
async function afterRefusal(engine: Engine, { claim }: RunContext): Promise<Outcome> {
  const held = await renewLeases(engine.database, engine.owner, engine.leaseMs, [claim]);
  return held.get(claim.runId)?.cancelRequested ? { kind: 'close', status: 'cancelled' } : { kind: 'left' };
}

async function work(engine: Engine, context: RunContext, claimed: ClaimedRun): Promise<Outcome> {
  try {
    if (claimed.run.cancel_requested_at) return { kind: 'close', status: 'cancelled' };
    if (context.claim.attempt - claimed.run.rests > engine.settings.maxAttempts) {
      throw new RunFailed(
        'too_many_attempts',
        `the run was begun ${engine.settings.maxAttempts} times without an end`,
      );
    }
    context.signal.throwIfAborted();
    if (claimed.run.kind === 'goal') await runGoal(context, claimed.steps);
    else await runPlaybook(context, claimed.steps, playbookSchema.parse(claimed.run.playbook).steps);
    return { kind: 'closed' };
  } catch (error) {
    // Whatever the abort made fail: the reason is the signal's.
    const cause: unknown = context.signal.aborted ? context.signal.reason : error;
    if (cause instanceof RunFailed)
      return { kind: 'close', status: 'failed', code: cause.code, message: cause.message };
    if (cause instanceof ObjectStoreError) return { kind: 'close', status: 'failed', ...contentLost(cause) };
    if (cause instanceof ClaimLost) return afterRefusal(engine, context);
    if (!(cause instanceof RunStopped)) throw cause;
    if (cause.reason === 'cancelled') return { kind: 'close', status: 'cancelled' };
    if (cause.reason === 'waiting') return { kind: 'rests' };
    if (cause.reason === 'paused') return { kind: 'pause' };
    if (cause.reason === 'timed_out') {
      return {
        kind: 'close',
        status: 'timed_out',
        code: 'run_timed_out',
        message: 'the run did not end within its time',
      };
    }
    return { kind: 'left' };
  }
}

/** Takes the sandbox away; what remains is swept later, so a failure here is not the run's. */
async function removeSandbox(context: RunContext): Promise<void> {
  try {
    await context.workspace.remove();
  } catch (error) {
    context.log.warn({ err: error }, 'the sandbox could not be removed yet');
  }
}

/** Ends the run where the work did not. What ran in the sandbox is gone before the run says that it has ended. */
async function conclude(engine: Engine, context: RunContext, outcome: Outcome): Promise<void> {
  const { claim } = context;
  if (outcome.kind === 'closed') {
    await removeSandbox(context);
    return;
  }
  if (outcome.kind === 'rests') return;
  if (outcome.kind === 'pause') {
    const left = await leaveRun(context, []);
    // A pause that was withdrawn meanwhile: whoever is free goes on.
    if (!left) context.workspace.detach();
    if (!left) await handOver(engine.database, claim);
    return;
  }
  if (outcome.kind === 'left') {
    context.workspace.detach();
    await handOver(engine.database, claim);
    if (!(await isRunLive(engine.database, claim.runId))) await removeSandbox(context);
    return;
  }
  await removeSandbox(context);
  const { status, code, message } = outcome;
  const error = boundError(code === undefined ? null : { code, message: message ?? code });
  await closeRun(engine.database, { runId: claim.runId, attempt: claim.attempt, status, error });
}

/** By how much the mode of a goal run shortens its wall clock. */
function shorterBy({ modes, wallMs }: Engine, { run }: ClaimedRun): number {
  if (run.kind !== 'goal') return 0;
  return Math.max(wallMs - modes.get(run.mode).limits.max_seconds * 1_000, 0);
}

/**
 * Works on an offered run until it has ended or this worker must leave it. Harmless when the run is not to be had.
 * @throws whatever was not foreseen; the run's lease then runs out and another worker goes on
 */
export async function workOnRun(engine: Engine, offer: Claim): Promise<void> {
  const { owner, leaseMs, wallMs, clock } = engine;
  if (engine.live.draining) {
    await handOver(engine.database, offer);
    return;
  }
  const askedAt = clock.monotonicMs();
  const claimed = await claimRun(engine.database, { ...offer, owner, leaseMs, wallMs });
  if (!claimed) return;
  const claim = { runId: claimed.run.id, attempt: claimed.run.attempt };
  const live = engine.live.add(claim, leaseMs - (clock.monotonicMs() - askedAt));
  live.pausing = claimed.run.pause_requested_at !== null;
  const remainingMs = claimed.remainingMs - shorterBy(engine, claimed);
  const wallClock = setTimeout(() => live.stop('timed_out'), Math.max(remainingMs, 0));
  try {
    const opened = await openClaimed(engine, claimed, live);
    if (!opened) return;
    const context = createContext(engine, opened, live);
    await conclude(engine, context, await work(engine, context, opened));
    const { parent_run_id: parentId, parent_step_id: awaitedBy } = claimed.run;
    if (parentId !== null && awaitedBy !== null && !(await isRunLive(engine.database, claim.runId))) {
      await wakeParent(engine.database, parentId);
    }
  } finally {
    clearTimeout(wallClock);
    engine.live.remove(live);
  }
}
