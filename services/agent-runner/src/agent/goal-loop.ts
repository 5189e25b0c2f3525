import { annotateSpan, failSpan, inSpan } from '@swissbrain/service-kit/trace-context';
import { finishPlanning } from '../operations/claims.ts';
import { loadConversation, loadOutputs } from '../operations/load-conversation.ts';
import { storePayload } from '../storage/payloads.ts';
import type { StepRow } from '../store/steps.ts';
import { readConversation } from './goal-messages.ts';
import { callModel } from './goal-model.ts';
import { nudgeBefore } from './goal-nudge.ts';
import type { GoalState } from './goal-state.ts';
import { runAskedCalls } from './goal-tools.ts';
import { nextTurn } from './goal-turns.ts';
import { costAttribute, usageAttributes } from './model-spans.ts';
import type { RunContext } from './run-context.ts';
import { RunFailed, RunStopped } from './stops.ts';

/** Takes the conversation up where the rows leave it, and goes on to the final answer. */
async function converse(state: GoalState): Promise<void> {
  const { context } = state;
  const { settings, mode, database, claim } = context;
  const mostCalls = Math.min(settings.goalMaxSteps, mode.limits.max_steps);
  for (;;) {
    context.signal.throwIfAborted();
    if (context.live.pausing) throw new RunStopped('paused');
    const next = nextTurn(state.log);
    if (next.turn === 'done') {
      const artifacts = await loadOutputs(database, context.run.id);
      const output = { text: next.text, artifacts };
      const stored = await storePayload(context.objects, context.run.user_id, output, context.signal);
      await finishPlanning(database, claim, output, stored);
      return;
    }
    if (next.turn === 'tools') {
      await runAskedCalls(state, next.calls, next.asked);
      continue;
    }
    if (state.modelCalls >= mostCalls) {
      throw new RunFailed('max_steps_reached', `the goal was not reached within ${mostCalls} model calls`);
    }
    await callModel(state, nudgeBefore(state, mostCalls));
  }
}

/**
 * Works on a goal: asks the model, does what it asks for, until it answers without asking for more. Goes on
 * wherever the rows end: a call that was answered is not made again.
 * @throws RunStopped by the signal, RunFailed, ClaimLost
 */
export async function runGoal(context: RunContext, rows: readonly StepRow[]): Promise<void> {
  const { choice, run } = context;
  if ('reason' in choice) throw new RunFailed('model_not_configured', choice.reason);
  const log = readConversation(await loadConversation(context, run.id));
  const state: GoalState = {
    ...{ context, models: choice.models, log },
    known: new Map(rows.map((row) => [row.step_key, row])),
    nextIndex: rows.length,
    modelCalls: log.filter(({ message }) => message.role === 'assistant').length,
    tokens: { input: 0, cacheRead: 0, cacheWrite: 0, output: 0, reasoning: 0 },
  };
  const [first] = choice.models.forMode(run.mode);
  const attributes = {
    'gen_ai.operation.name': 'invoke_agent',
    'gen_ai.agent.name': run.mode,
    'gen_ai.conversation.id': run.id,
    ...(first ? { 'gen_ai.provider.name': first.provider, 'gen_ai.request.model': first.name } : {}),
  };
  const spentBefore = context.budget.spent;
  const stopped = await inSpan(`invoke_agent ${run.mode}`, 'internal', undefined, attributes, async () => {
    try {
      await converse(state);
      return null;
    } catch (error) {
      // To wait for the user or to hand a run over is no error.
      if (error instanceof RunStopped) return error;
      if (error instanceof RunFailed) failSpan(error.code, error.code);
      throw error;
    } finally {
      annotateSpan({
        ...usageAttributes(state.tokens),
        ...costAttribute(context.budget.spent - spentBefore),
      });
    }
  });
  if (stopped) throw stopped;
}
