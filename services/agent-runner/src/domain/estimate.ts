import type { PlannedStep } from './playbook.ts';
import { sumUsage, type Usage } from './usage.ts';

/** Tools as far as an estimate needs them. */
export interface Estimator {
  estimate(tool: string, input: Readonly<Record<string, unknown>>): readonly Usage[];
}

/** The worst case of a playbook: every step runs once and uses all it may. */
export function estimatePlaybook(steps: readonly PlannedStep[], tools: Estimator): Usage[] {
  return sumUsage(steps.flatMap((step) => tools.estimate(step.tool, step.with)));
}

/** Calls of the model and seconds of code that a goal run's first hold is sized for; afterwards it extends. */
const firstCalls = 5;

/** What a goal run sets out with: nobody knows its steps yet, so this is a start and not a worst case. */
export function estimateGoal(call: readonly Usage[], code: readonly Usage[]): Usage[] {
  return sumUsage([...Array.from({ length: firstCalls }, () => call).flat(), ...code]);
}
