import { stuckAdvice, stuckMessage, stuckReason } from '../domain/stuck.ts';
import type { GoalMessage, LogEntry } from './goal-messages.ts';
import type { GoalState } from './goal-state.ts';
import { movesOf } from './goal-turns.ts';
import { RunFailed } from './stops.ts';

/** So many moves after a nudge the agent may be told again; within them it has not helped. */
const patience = 10;

const nudgeIn = ({ message }: LogEntry) =>
  message.role === 'user' && typeof message.content !== 'string' ? message.content : undefined;

/**
 * What to tell the model before its next answer, or null: that it goes round in circles, once, or that this is the
 * last answer it may give.
 * @throws RunFailed agent_stuck when it has been told and goes on
 */
export function nudgeBefore(state: GoalState, mostCalls: number): GoalMessage | null {
  const { log, modelCalls } = state;
  const before = log.findLastIndex((entry) => {
    const reason = nudgeIn(entry)?.reason;
    return reason !== undefined && reason !== 'last_answer';
  });
  // Told already, by a worker that did not live to hear the answer.
  if (log.length === 0 || nudgeIn(log.at(-1) as LogEntry)) return null;
  const moves = movesOf(log.slice(before + 1));
  const reason = stuckReason(moves);
  if (reason && before >= 0 && moves.length <= patience) {
    throw new RunFailed(
      'agent_stuck',
      `${stuckMessage[reason]}, also after it was told to change its approach`,
    );
  }
  if (reason) return { role: 'user', content: { kind: 'nudge', reason, text: stuckAdvice[reason] } };
  if (mostCalls < 2 || modelCalls !== mostCalls - 1) return null;
  const text = `This is your last answer: the run may not call the model again. Call no tool; say in words what you did, what came out and what is missing.`;
  return { role: 'user', content: { kind: 'nudge', reason: 'last_answer', text } };
}
