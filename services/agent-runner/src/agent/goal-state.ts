import type { ModelTokens } from '../domain/model-tokens.ts';
import type { StepRow } from '../store/steps.ts';
import type { GoalMessage, LogEntry } from './goal-messages.ts';
import type { Models } from './models.ts';
import type { RunContext } from './run-context.ts';

/** A goal run under way: the conversation is the plan, and rows are its only memory. */
export interface GoalState {
  readonly context: RunContext;
  readonly models: Models;
  /** Every message in the order of its row. */
  readonly log: LogEntry[];
  /** Steps by key, as a worker before this one left them. */
  readonly known: ReadonlyMap<string, StepRow>;
  /** Number of the next new step. */
  nextIndex: number;
  modelCalls: number;
  /** Of the answers that this worker got. */
  tokens: ModelTokens;
}

/**
 * Adds a message to the conversation and takes its number; the caller writes its row. Numbers may have gaps: of two
 * calls that end together the later one's row may be the only one that a crash leaves.
 */
export function append(state: GoalState, message: GoalMessage): LogEntry {
  const entry = { index: (state.log.at(-1)?.index ?? -1) + 1, message };
  state.log.push(entry);
  return entry;
}
