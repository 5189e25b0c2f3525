import type { StepRow } from '../store/steps.ts';
import type { GoalMessage } from './goal-messages.ts';
import type { Models } from './models.ts';
import type { RunContext } from './run-context.ts';

/** A goal run under way: the conversation is the plan, and rows are its only memory. */
export interface GoalState {
  readonly context: RunContext;
  readonly models: Models;
  readonly messages: GoalMessage[];
  /** Steps by key, as a worker before this one left them. */
  readonly known: ReadonlyMap<string, StepRow>;
  /** Number of the next new step. */
  nextIndex: number;
  modelCalls: number;
}
