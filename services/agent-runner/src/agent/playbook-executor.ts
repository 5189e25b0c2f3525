import { setAside, settleStep, shortfall } from '../domain/budget.ts';
import type { PlaybookStep } from '../domain/playbook.ts';
import { abandonStep, completeStep, createProgress, type Progress } from '../domain/progress.ts';
import { ReferenceProblem, resolveReferences } from '../domain/reference.ts';
import { priceUsage } from '../domain/usage.ts';
import { ClaimLost } from '../operations/claims.ts';
import { ObjectStoreError } from '../storage/object-store.ts';
import type { Advance, StepFinish } from '../store/advance.ts';
import type { StepRow } from '../store/steps.ts';
import { advance } from './advance.ts';
import { type CallOutcome, callTool } from './call-tool.ts';
import { makeRoom } from './hold.ts';
import { createInbox } from './inbox.ts';
import { bindSteps, type Output, openScope, type Step } from './playbook-steps.ts';
import { callWithRetries } from './retry-step.ts';
import type { RunContext } from './run-context.ts';
import { artifactEvent, boundError, finishedEvent, startedEvent } from './step-events.ts';
import { RunStopped } from './stops.ts';

interface Ended {
  readonly step: Step;
  readonly outcome: CallOutcome;
}

interface Execution {
  readonly context: RunContext;
  readonly steps: ReadonlyMap<string, Step>;
  readonly progress: Progress;
  /** What completed steps have left: large ones by reference, they may be many. */
  readonly outputs: Map<string, Output>;
  readonly inbox: ReturnType<typeof createInbox<Ended>>;
  /** Ends what still runs when the run is over. */
  readonly abort: AbortController;
  running: number;
}

const failedCall = (code: string, message: string): CallOutcome => ({
  result: { output: null, usage: [], failure: { code, message } },
  artifacts: [],
  workspace: null,
  durationMs: 0,
});

async function runStep(execution: Execution, step: Step): Promise<Ended> {
  const { context, outputs, abort } = execution;
  let input: unknown;
  try {
    input = resolveReferences(step.source.with, await openScope(context, outputs, step.source.with));
  } catch (error) {
    if (error instanceof ReferenceProblem)
      return { step, outcome: failedCall('unresolved_reference', error.message) };
    if (error instanceof ObjectStoreError)
      return {
        step,
        outcome: failedCall('output_unreadable', `what it refers to cannot be read: ${error.message}`),
      };
    throw error;
  }
  const { stepId, implementation: tool } = step;
  const { signal } = abort;
  const outcome = await callWithRetries(context, step, signal, () =>
    callTool(context, {
      stepId,
      tool,
      input,
      keep: step.source.artifacts,
      isFollowed: (failure) => execution.progress.open > 1 && !(failure && step.required),
      signal,
    }),
  );
  return { step, outcome };
}

/** Sets a started step to work; how it ended, or what broke, comes to the inbox. */
function launch(execution: Execution, step: Step): void {
  execution.running += 1;
  execution.context.waits.enter();
  runStep(execution, step).then(
    (ended) => execution.inbox.put(ended),
    (error: unknown) => execution.inbox.fail(error),
  );
}

/** The steps to start now: those whose worst case fits into the hold, and those for which it must be raised. */
function chooseNext(execution: Execution): { readonly fitting: Step[]; readonly raising: Step[] } {
  const { context, progress, steps } = execution;
  if (context.live.pausing) return { fitting: [], raising: [] };
  const busy = execution.running - context.waits.size;
  const free = Math.max(context.settings.maxParallelSteps - busy, 0);
  const fitting: Step[] = [];
  const raising: Step[] = [];
  for (const key of progress.ready.splice(0, free)) {
    const step = steps.get(key);
    if (!step) throw new Error(`step ${key} of run ${context.run.id} has no row`);
    const fits = shortfall(context.budget, priceUsage(step.worstCase, context.budget.prices)) === 0n;
    if (fits) step.reserved = setAside(context.budget, step.worstCase);
    (fits ? fitting : raising).push(step);
  }
  return { fitting, raising };
}

/** False when the run is to pause for want of credits: what runs is done first. */
async function hasRoom(context: RunContext, step: Step): Promise<boolean> {
  try {
    await makeRoom(context.hold, context.budget, step.stepId, step.worstCase);
    return true;
  } catch (error) {
    if (error instanceof RunStopped && error.reason === 'paused') return false;
    throw error;
  }
}

/**
 * Writes `change` and the starts of steps in one statement; returns those that were started. Once a pause has been
 * answered no step begins: the statement then writes nothing, and is sent again without the starts.
 */
async function advanceAndStart(
  execution: Execution,
  change: Advance,
  next: readonly Step[],
): Promise<{ readonly written: Advance; readonly started: readonly Step[] }> {
  const { context, progress } = execution;
  if (next.length > 0) {
    const events = [...change.events, ...next.map((step) => startedEvent(context.run, context.claim, step))];
    const start = next.map((step) => step.stepId);
    try {
      const written = await advance(context, { ...change, start, events, unlessPausing: true });
      return { written, started: next };
    } catch (error) {
      // Or the claim is gone: the statement without starts says so.
      if (!(error instanceof ClaimLost)) throw error;
    }
    context.live.pausing = true;
    for (const step of next) settleStep(context.budget, step.reserved, []);
    progress.ready.unshift(...next.map(({ key }) => key));
  }
  return { written: await advance(context, change), started: [] };
}

async function startRaised(execution: Execution, steps: readonly Step[]): Promise<void> {
  const { context } = execution;
  for (const step of steps) {
    if (context.live.pausing || !(await hasRoom(context, step))) {
      context.live.pausing = true;
      execution.progress.ready.unshift(step.key);
      continue;
    }
    step.reserved = setAside(context.budget, step.worstCase);
    const { started } = await advanceAndStart(execution, { ...context.claim, events: [] }, [step]);
    for (const begun of started) launch(execution, begun);
  }
}

/** Writes how a step ended and starts what it frees: one statement where the hold has room. */
async function settle(execution: Execution, ended: Ended): Promise<void> {
  const { context, progress, steps } = execution;
  const { run, claim, budget } = context;
  const { step, outcome } = ended;
  const { failure, output, usage } = outcome.result;
  execution.running -= 1;
  const finish: StepFinish = {
    stepId: step.stepId,
    status: failure ? 'failed' : 'completed',
    output,
    usage,
    costMicro: settleStep(budget, step.reserved, usage),
    durationMs: outcome.durationMs,
    error: boundError(failure ?? null),
  };
  const events = [
    ...outcome.artifacts.map((artifact) => artifactEvent(run, artifact)),
    finishedEvent(run, claim, step, finish),
  ];
  if (failure && step.required) {
    await advance(context, { ...claim, finish, stopRest: true, events });
    progress.open = 0;
    return;
  }
  let skip: string[] = [];
  if (failure) {
    skip = abandonStep(progress, step.key).flatMap((key) => steps.get(key)?.stepId ?? []);
  } else {
    completeStep(progress, step.key);
  }
  const { fitting, raising } = chooseNext(execution);
  const { artifacts, workspace } = outcome;
  const change = { ...claim, finish, skip, artifacts, workspace, events };
  const { written, started } = await advanceAndStart(execution, change, fitting);
  const stored = written.finish?.storedOutput ?? null;
  if (!failure) execution.outputs.set(step.key, { value: stored ? null : output, stored });
  for (const next of started) launch(execution, next);
  await startRaised(execution, raising);
}

/** Starts what is ready, and again what a worker before this one left running. */
async function begin(execution: Execution, rows: readonly StepRow[]): Promise<void> {
  const { context, progress } = execution;
  const interrupted = rows.filter((row) => row.status === 'running').map((row) => row.step_key);
  progress.ready.unshift(...interrupted);
  const { fitting, raising } = chooseNext(execution);
  if (fitting.length > 0) {
    const { started } = await advanceAndStart(execution, { ...context.claim, events: [] }, fitting);
    for (const step of started) launch(execution, step);
  }
  await startRaised(execution, raising);
}

/**
 * Runs a playbook from where its rows say it is to its end; the database closes the run with its last step.
 * @throws RunStopped by the signal, RunFailed, ClaimLost
 */
export async function runPlaybook(
  context: RunContext,
  rows: readonly StepRow[],
  sources: readonly PlaybookStep[],
) {
  const outputs = new Map(
    rows
      .filter((row) => row.status === 'completed')
      .map((row) => [row.step_key, { value: row.output, stored: row.output_ref }]),
  );
  const abort = new AbortController();
  const execution: Execution = {
    context,
    steps: bindSteps(context, rows, sources),
    progress: createProgress(rows.map((row) => ({ key: row.step_key, needs: row.needs, state: row.status }))),
    outputs,
    inbox: createInbox<Ended>(),
    abort,
    running: 0,
  };
  const stop = () => {
    abort.abort(context.signal.reason);
    execution.inbox.fail(context.signal.reason);
  };
  context.signal.addEventListener('abort', stop, { once: true });
  try {
    context.signal.throwIfAborted();
    context.waits.enter();
    await begin(execution, rows);
    context.waits.leave();
    while (execution.progress.open > 0) {
      if (execution.running === 0) {
        if (context.live.pausing) throw new RunStopped('paused');
        throw new Error(`run ${context.run.id} has open steps and none that can start`);
      }
      const ended = await execution.inbox.take();
      await settle(execution, ended);
      // Of a run that has ended nothing waits any more.
      if (execution.progress.open > 0) context.waits.leave();
    }
  } finally {
    context.signal.removeEventListener('abort', stop);
    abort.abort();
  }
}
