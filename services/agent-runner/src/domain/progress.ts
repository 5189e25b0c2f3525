/** How far one step of a run is, as its row says. */
export type StepState = 'pending' | 'running' | 'completed' | 'failed' | 'skipped' | 'cancelled';

export interface ProgressStep {
  readonly key: string;
  readonly needs: readonly string[];
  readonly state: StepState;
}

/**
 * Which steps can start and which never will. Kept by counts, so finishing a step touches only what waits for it:
 * a run of thousands of steps costs the same per step as a short one.
 */
export interface Progress {
  /** Keys of pending steps that wait for nothing, in step order. */
  readonly ready: string[];
  /** Steps that are neither finished nor skipped. */
  open: number;
  readonly waiting: Map<string, number>;
  readonly dependants: ReadonlyMap<string, readonly string[]>;
}

/** Builds the progress of a run from its rows; steps in step order. */
export function createProgress(steps: readonly ProgressStep[]): Progress {
  const state = new Map(steps.map((step) => [step.key, step.state]));
  const dependants = new Map<string, string[]>();
  const waiting = new Map<string, number>();
  const ready: string[] = [];
  let open = 0;
  for (const step of steps) {
    if (step.state === 'pending' || step.state === 'running') open += 1;
    if (step.state !== 'pending') continue;
    const unmet = step.needs.filter((need) => state.get(need) !== 'completed');
    for (const need of unmet) {
      const list = dependants.get(need);
      if (list) list.push(step.key);
      else dependants.set(need, [step.key]);
    }
    waiting.set(step.key, unmet.length);
    if (unmet.length === 0) ready.push(step.key);
  }
  return { ready, open, waiting, dependants };
}

/** Records that a step has completed; returns the steps that became ready by it, which are also put in line. */
export function completeStep(progress: Progress, key: string): readonly string[] {
  progress.open -= 1;
  const freed: string[] = [];
  for (const dependant of progress.dependants.get(key) ?? []) {
    const before = progress.waiting.get(dependant);
    if (before === undefined) continue;
    const left = before - 1;
    progress.waiting.set(dependant, left);
    if (left === 0) freed.push(dependant);
  }
  progress.ready.push(...freed);
  return freed;
}

/**
 * Records that an optional step failed or was skipped: all that waits for it, however far down, can never start.
 * Returns the keys of those, which the caller marks as skipped.
 */
export function abandonStep(progress: Progress, key: string): readonly string[] {
  progress.open -= 1;
  const lost = new Set<string>();
  const line = [key];
  for (let next = line.pop(); next !== undefined; next = line.pop()) {
    for (const dependant of progress.dependants.get(next) ?? []) {
      if (lost.has(dependant) || !progress.waiting.has(dependant)) continue;
      lost.add(dependant);
      progress.waiting.delete(dependant);
      line.push(dependant);
    }
  }
  progress.open -= lost.size;
  return [...lost];
}
