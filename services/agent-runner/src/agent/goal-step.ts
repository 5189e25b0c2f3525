import { randomUUID } from 'node:crypto';
import { setAside, settleStep } from '../domain/budget.ts';
import type { Usage } from '../domain/usage.ts';
import type { Advance, NewArtifact, NewMessage, StepFinish } from '../store/advance.ts';
import { advance } from './advance.ts';
import type { GoalState } from './goal-state.ts';
import { makeRoom } from './hold.ts';
import { artifactEvent, boundError, type EventStep, finishedEvent, startedEvent } from './step-events.ts';

/** A step that the loop decides on. */
export interface GoalStep {
  readonly key: string;
  readonly tool: string;
  readonly name: string;
  readonly input: unknown;
  /** A failed model call fails the run; a failed tool is told to the model. */
  readonly required: boolean;
  readonly worstCase: readonly Usage[];
}

/** How such a step ended, and what is written together with its end. */
export interface GoalStepEnd {
  readonly output: unknown;
  readonly usage: readonly Usage[];
  readonly durationMs: number;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly messages: readonly NewMessage[];
  readonly artifacts: readonly NewArtifact[];
  readonly workspace?: Advance['workspace'];
}

/** A step that has started. */
export interface StartedStep extends EventStep {
  readonly reserved: bigint;
}

/**
 * Starts a step: its row, or the row that a worker before this one left running, with step.started. `opening` are
 * messages that the rows do not have yet.
 */
export async function startGoalStep(
  state: GoalState,
  step: GoalStep,
  opening: readonly NewMessage[] = [],
): Promise<StartedStep> {
  const { context } = state;
  const row = state.known.get(step.key);
  const stepId = row?.id ?? randomUUID();
  const index = row?.step_index ?? state.nextIndex;
  await makeRoom(context.hold, context.budget, stepId, step.worstCase);
  const reserved = setAside(context.budget, step.worstCase);
  const event: EventStep = { stepId, key: step.key, index, tool: step.tool };
  const place = row
    ? { start: [stepId] }
    : {
        insert: {
          stepId,
          index,
          key: step.key,
          tool: step.tool,
          name: step.name,
          input: step.input,
          required: step.required,
        },
      };
  const events = [startedEvent(context.run, context.claim, event)];
  await advance(context, { ...context.claim, ...place, messages: opening, events });
  if (!row) state.nextIndex += 1;
  return { ...event, reserved };
}

/** Writes how a step ended together with its messages and files. */
export async function finishGoalStep(state: GoalState, step: StartedStep, end: GoalStepEnd): Promise<void> {
  const { context } = state;
  const { run, claim } = context;
  const finish: StepFinish = {
    stepId: step.stepId,
    status: end.error ? 'failed' : 'completed',
    output: end.output,
    usage: end.usage,
    costMicro: settleStep(context.budget, step.reserved, end.usage),
    durationMs: end.durationMs,
    error: boundError(end.error),
  };
  const events = [
    ...end.artifacts.map((artifact) => artifactEvent(run, artifact)),
    finishedEvent(run, claim, step, finish),
  ];
  const { messages, artifacts, workspace } = end;
  await advance(context, { ...claim, finish, messages, artifacts, workspace, events });
}
