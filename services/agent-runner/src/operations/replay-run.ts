import { isDeepStrictEqual } from 'node:util';
import {
  type ForkRunBody,
  playbookSchema,
  type ReplayView,
} from '@swissbrain/shared-schema/http/agent-runner';
import { checkInputs, inputValue, type RunInput } from '../domain/inputs.ts';
import { planPlaybook } from '../domain/playbook.ts';
import { type ReplayedStep, replayPlaybook } from '../domain/replay.ts';
import { errors } from '../errors.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { StepRow } from '../store/steps.ts';
import type { ToolRegistry } from '../tools/registry.ts';
import { editInputs, givenInputs, type Recorded } from './fork-run.ts';
import { openEach, openStep, outsideBytes } from './open-rows.ts';
import { withProblems } from './prepare-run.ts';

/** Of results that were too large for their rows, read for one dry run, in bytes. */
const mostBytes = 64 * 1024 * 1024;

const missing = (step: StepRow) =>
  step.status === 'failed' ? `it failed: ${step.error_code ?? 'step_failed'}` : `it was ${step.status}`;

/** Steps of a goal follow from the model's recorded answers: they are what they were, unless a tool has changed. */
function replayGoal(steps: readonly StepRow[], tools: ToolRegistry): ReplayedStep[] {
  return steps.map((step) => {
    const base = { key: step.step_key, index: step.step_index };
    const modelCall = step.step_key.startsWith('model-');
    const checked = modelCall
      ? { bad: null }
      : tools.check(step.name, (step.input ?? {}) as Record<string, unknown>);
    const reason = 'unknown' in checked ? `there is no tool "${step.name}" any more` : checked.bad;
    if (reason !== null) return { ...base, verdict: 'differs', reason, output: null };
    if (step.status === 'completed')
      return { ...base, verdict: 'recorded', reason: null, output: step.output };
    return { ...base, verdict: 'not_recorded', reason: missing(step), output: null };
  });
}

/**
 * A recorded run with all that its steps were given and have left: a dry run resolves references anew.
 * @throws AppError run_too_large, content_unavailable
 */
export async function openRecorded(objects: ObjectStore, source: Recorded): Promise<Recorded> {
  const outside = source.steps.reduce((sum, step) => sum + outsideBytes(step.input_ref, step.output_ref), 0);
  if (outside > mostBytes) {
    throw errors.run_too_large(
      `the steps have left ${outside} bytes of large results; a dry run reads at most ${mostBytes}`,
    );
  }
  return { ...source, steps: await openEach(source.steps, (step) => openStep(objects, step)) };
}

/**
 * A dry run from what was recorded, with the edits given: no tool is called, nothing is written or billed.
 * @throws AppError invalid_playbook
 */
export function replayRun(
  source: Recorded,
  body: Pick<ForkRunBody, 'playbook' | 'inputs'>,
  tools: ToolRegistry,
): ReplayView {
  const { run, steps } = source;
  const replayed = withProblems(() => {
    if (run.kind === 'goal') return replayGoal(steps, tools);
    const original = playbookSchema.parse(run.playbook);
    const playbook = body.playbook ?? original;
    const toolOf = new Map(original.steps.map((step) => [step.id, step.tool]));
    const readInput = (inputs: Readonly<Record<string, RunInput>>) => (name: string) => {
      const input = Object.hasOwn(inputs, name) ? inputs[name] : undefined;
      return input && inputValue(input);
    };
    const recorded = steps.map((step) => ({
      key: step.step_key,
      tool: toolOf.get(step.step_key) ?? step.tool,
      with: step.input,
      completed: step.status === 'completed',
      output: step.output,
      missing: missing(step),
    }));
    return replayPlaybook(planPlaybook(playbook, { check: () => ({ bad: null }), repeatable: () => true }), {
      recorded: new Map(recorded.map((step) => [step.key, step])),
      inputs: {
        before: readInput(givenInputs(run)),
        now: readInput(checkInputs(playbook.inputs, editInputs(run, body.inputs))),
      },
      tools,
      same: isDeepStrictEqual,
    });
  });
  const first = replayed.find(({ verdict }) => verdict !== 'recorded');
  return { run_id: run.id, same: first === undefined, first_difference: first?.key ?? null, steps: replayed };
}
