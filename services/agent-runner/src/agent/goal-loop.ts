import { finishPlanning } from '../operations/claims.ts';
import { loadConversation } from '../operations/load-conversation.ts';
import type { StepRow } from '../store/steps.ts';
import { nextTurn, readConversation } from './goal-messages.ts';
import { callModel } from './goal-model.ts';
import type { GoalState } from './goal-state.ts';
import { runAskedCall } from './goal-tools.ts';
import type { RunContext } from './run-context.ts';
import { RunFailed } from './stops.ts';

/**
 * Works on a goal: asks the model, does what it asks for, until it answers without asking for more. Goes on
 * wherever the rows end: a call that was answered is not made again.
 * @throws RunStopped by the signal, RunFailed, ClaimLost
 */
export async function runGoal(context: RunContext, rows: readonly StepRow[]): Promise<void> {
  const { choice, settings, claim, database } = context;
  if ('reason' in choice) throw new RunFailed('model_not_configured', choice.reason);
  const messages = readConversation(await loadConversation(database, context.run.id));
  const state: GoalState = {
    context,
    models: choice.models,
    messages,
    known: new Map(rows.map((row) => [row.step_key, row])),
    nextIndex: rows.length,
    modelCalls: messages.filter((message) => message.role === 'assistant').length,
  };
  for (;;) {
    context.signal.throwIfAborted();
    const next = nextTurn(state.messages);
    if (next.turn === 'done') {
      await finishPlanning(database, claim, { text: next.text });
      return;
    }
    if (next.turn === 'tools') {
      const answered = state.messages.length - 1 - next.asked;
      for (const [place, call] of next.calls.entries())
        await runAskedCall(state, call, next.asked, answered + place);
      continue;
    }
    const mostCalls = Math.min(settings.goalMaxSteps, context.mode.limits.max_steps);
    if (state.modelCalls >= mostCalls) {
      throw new RunFailed('max_steps_reached', `the goal was not reached within ${mostCalls} model calls`);
    }
    await callModel(state);
  }
}
