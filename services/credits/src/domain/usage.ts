import type { RunId, StepId } from '@swissbrain/shared-schema/ids';

/** One line of a step's usage as the ledger takes it. */
export interface UsageItem {
  /** Names the hold: everything below a root run draws on it. */
  readonly root_run_id: RunId;
  readonly run_id: RunId;
  readonly step_id: StepId;
  /** The same on every delivery of the same line. */
  readonly key: string;
  readonly operation: string;
  readonly quantity: string;
  readonly occurred_at: string;
}

/** A step that has ended, as an event or the answer to a question tells of it. */
export interface StepUsage {
  readonly rootRunId: RunId;
  readonly runId: RunId;
  readonly stepId: StepId;
  readonly usage: readonly { readonly operation: string; readonly quantity: string }[];
  readonly finishedAt: string;
}

/**
 * The lines of steps in order. A line of quantity zero is kept: it tells that its step has been recorded, and
 * a run is settled when all its steps are.
 */
export function usageItems(steps: readonly StepUsage[]): UsageItem[] {
  return steps.flatMap(({ rootRunId, runId, stepId, usage, finishedAt }) =>
    usage.map(({ operation, quantity }, line) => ({
      root_run_id: rootRunId,
      run_id: runId,
      step_id: stepId,
      key: `step:${stepId}:${line}`,
      operation,
      quantity,
      occurred_at: finishedAt,
    })),
  );
}
