import { maxMessageCharacters } from '../domain/payload.ts';
import type { Claim } from '../operations/claims.ts';
import type { NewArtifact, RunEvent, StepFinish } from '../store/advance.ts';
import type { RunRow } from '../store/runs.ts';

/** A step as its events name it. */
export interface EventStep {
  readonly stepId: string;
  readonly key: string;
  readonly index: number;
  readonly tool: string;
}

const base = (run: RunRow, claim: Claim, step: EventStep) => ({
  run_id: run.id,
  root_run_id: run.root_run_id,
  step_id: step.stepId,
  step_key: step.key,
  step_index: step.index,
  tool: step.tool,
  attempt: claim.attempt,
});

/** A failure whose words fit into an event, whose size is bounded. */
export function boundError(error: StepFinish['error']): StepFinish['error'] {
  if (error === null || error.message.length <= maxMessageCharacters) return error;
  return { code: error.code, message: `${error.message.slice(0, maxMessageCharacters - 1)}…`.toWellFormed() };
}

/** step.started */
export function startedEvent(run: RunRow, claim: Claim, step: EventStep): RunEvent {
  return { type: 'step.started', data: base(run, claim, step) };
}

/** step.completed or step.failed: what credits charges. */
export function finishedEvent(run: RunRow, claim: Claim, step: EventStep, finish: StepFinish): RunEvent {
  const data = { ...base(run, claim, step), usage: finish.usage, duration_ms: finish.durationMs };
  if (finish.status === 'completed') return { type: 'step.completed', data };
  return { type: 'step.failed', data: { ...data, error: finish.error } };
}

/** artifact.created */
export function artifactEvent(run: RunRow, artifact: NewArtifact): RunEvent {
  return {
    type: 'artifact.created',
    data: {
      run_id: run.id,
      root_run_id: run.root_run_id,
      artifact_id: artifact.id,
      step_id: artifact.stepId,
      name: artifact.name,
      media_type: artifact.mediaType,
      size_bytes: artifact.sizeBytes,
      sha256: artifact.sha256,
    },
  };
}
