import type { StepView } from '@swissbrain/client/types';
import {
  artifactCreated,
  runCancelled,
  runCompleted,
  runFailed,
  runQueued,
  runRequested,
  runStarted,
  runTimedOut,
  stepCompleted,
  stepFailed,
  stepStarted,
} from '@swissbrain/shared-schema/events/agent-runner';
import {
  creditsConsumed,
  creditsDenied,
  creditsExpired,
  creditsReleased,
  creditsReserved,
} from '@swissbrain/shared-schema/events/credits';
import type { EventData, EventDefinition } from '@swissbrain/shared-schema/events/envelope';

/** An event as the view needs it, from the run's own stream or from a tap. */
export interface ObservedEvent {
  readonly id: string;
  readonly type: string;
  readonly time: string;
  readonly data: unknown;
}

export interface StepProgress {
  readonly key: string;
  readonly tool: string;
  readonly state: 'waiting' | 'running' | 'completed' | 'failed' | 'skipped' | 'cancelled';
  readonly stepId: string | null;
  /** When the view learned that the step had started; monotonic milliseconds. */
  readonly since: number | null;
  readonly durationMs: number | null;
  readonly costMicro: bigint | null;
  readonly error: string | null;
}

/** Amounts in micro-credits; null until they are known. */
export interface CreditsProgress {
  readonly heldMicro: bigint | null;
  readonly consumedMicro: bigint;
  readonly releasedMicro: bigint | null;
  readonly denied: { readonly requiredMicro: bigint; readonly availableMicro: bigint } | null;
}

/** All the view knows about a run. */
export interface RunProgress {
  readonly runId: string;
  readonly title: string;
  readonly state: string;
  readonly attempt: number;
  readonly steps: readonly StepProgress[];
  readonly credits: CreditsProgress;
  readonly artifacts: number;
  readonly error: string | null;
}

/** A run of which nothing has been heard yet. */
export function initialProgress(runId: string, title: string): RunProgress {
  return {
    runId,
    title,
    state: 'pending',
    attempt: 0,
    steps: [],
    credits: { heldMicro: null, consumedMicro: 0n, releasedMicro: null, denied: null },
    artifacts: 0,
    error: null,
  };
}

const stateOfStatus: Readonly<Record<StepView['status'], StepProgress['state']>> = {
  pending: 'waiting',
  running: 'running',
  completed: 'completed',
  failed: 'failed',
  skipped: 'skipped',
  cancelled: 'cancelled',
};

/** Takes over the steps as the API lists them: all of a playbook's, those so far of a goal run. */
export function withSteps(progress: RunProgress, views: readonly StepView[]): RunProgress {
  const costs = new Map(progress.steps.map((step) => [step.key, step.costMicro]));
  const steps = views.map((view) => ({
    key: view.key,
    tool: view.tool,
    state: stateOfStatus[view.status],
    stepId: view.id,
    since: null,
    durationMs: view.duration_ms,
    costMicro: costs.get(view.key) ?? null,
    error: view.error?.message ?? null,
  }));
  return { ...progress, steps };
}

type Change = (progress: RunProgress, data: unknown, nowMs: number) => RunProgress;
const changes = new Map<string, Change>();

function on<Definition extends EventDefinition>(
  definition: Definition,
  change: (progress: RunProgress, data: EventData<Definition>, nowMs: number) => RunProgress,
): void {
  changes.set(definition.type, (progress, data, nowMs) => {
    const parsed = definition.data.safeParse(data);
    // A newer version of an event that this view does not read: the run's state still comes from the API.
    return parsed.success ? change(progress, parsed.data as EventData<Definition>, nowMs) : progress;
  });
}

/** The progress after an event. Events the view has no use for leave it as it is. */
export function applyEvent(progress: RunProgress, event: ObservedEvent, nowMs: number): RunProgress {
  return changes.get(event.type)?.(progress, event.data, nowMs) ?? progress;
}

function withStep(progress: RunProgress, key: string, change: Partial<StepProgress>): RunProgress {
  const known = progress.steps.some((step) => step.key === key);
  const fresh: StepProgress = {
    key,
    tool: '',
    state: 'waiting',
    stepId: null,
    since: null,
    durationMs: null,
    costMicro: null,
    error: null,
  };
  const steps = known ? progress.steps : [...progress.steps, fresh];
  return { ...progress, steps: steps.map((step) => (step.key === key ? { ...step, ...change } : step)) };
}

const withCredits = (progress: RunProgress, change: Partial<CreditsProgress>): RunProgress => ({
  ...progress,
  credits: { ...progress.credits, ...change },
});

on(runRequested, (progress, { title }) => ({ ...progress, title }));
on(runQueued, (progress) => ({ ...progress, state: 'queued' }));
on(runStarted, (progress, { attempt }) => ({ ...progress, state: 'running', attempt }));
on(stepStarted, (progress, { step_key, step_id, tool }, nowMs) =>
  withStep(progress, step_key, { tool, stepId: step_id, state: 'running', since: nowMs }),
);
on(stepCompleted, (progress, { step_key, step_id, tool, duration_ms }) =>
  withStep(progress, step_key, {
    tool,
    stepId: step_id,
    state: 'completed',
    durationMs: duration_ms,
    error: null,
  }),
);
on(stepFailed, (progress, { step_key, step_id, tool, duration_ms, error }) =>
  withStep(progress, step_key, {
    tool,
    stepId: step_id,
    state: 'failed',
    durationMs: duration_ms,
    error: error.message,
  }),
);
on(artifactCreated, (progress) => ({ ...progress, artifacts: progress.artifacts + 1 }));
for (const [definition, state] of [
  [runCompleted, 'completed'],
  [runFailed, 'failed'],
  [runCancelled, 'cancelled'],
  [runTimedOut, 'timed_out'],
] as const) {
  on(definition, (progress, { error }) => ({ ...progress, state, error: error?.message ?? null }));
}

on(creditsReserved, (progress, { held_micro }) => withCredits(progress, { heldMicro: BigInt(held_micro) }));
on(creditsDenied, (progress, { required_micro, available_micro }) =>
  withCredits(progress, {
    denied: { requiredMicro: BigInt(required_micro), availableMicro: BigInt(available_micro) },
  }),
);
on(creditsConsumed, (progress, { consumed_micro, held_micro, lines }) => {
  const cost = new Map<string, bigint>();
  for (const line of lines) cost.set(line.step_id, (cost.get(line.step_id) ?? 0n) + BigInt(line.cost_micro));
  const steps = progress.steps.map((step) => {
    const added = step.stepId === null ? undefined : cost.get(step.stepId);
    return added === undefined ? step : { ...step, costMicro: (step.costMicro ?? 0n) + added };
  });
  return withCredits(
    { ...progress, steps },
    { heldMicro: BigInt(held_micro), consumedMicro: BigInt(consumed_micro) },
  );
});
for (const definition of [creditsReleased, creditsExpired]) {
  on(definition, (progress, { consumed_micro, released_micro }) =>
    withCredits(progress, { consumedMicro: BigInt(consumed_micro), releasedMicro: BigInt(released_micro) }),
  );
}
