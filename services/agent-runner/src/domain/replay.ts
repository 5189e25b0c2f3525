import type { PlannedStep, ToolCheck } from './playbook.ts';
import { ReferenceProblem, resolveReferences, type Scope } from './reference.ts';

/** A step as the run has recorded it. */
export interface RecordedStep {
  readonly key: string;
  readonly tool: string;
  readonly with: unknown;
  readonly completed: boolean;
  readonly output: unknown;
  /** Why it has no result, in a word; null when it has one. */
  readonly missing: string | null;
}

/**
 * What would become of a step: `recorded`: the same call, whose result is known. `differs`: another call, or one that this
 * installation would refuse. `not_recorded`: the run has no result for it. `not_reached`: it waits for one of these.
 */
export type ReplayVerdict = 'recorded' | 'differs' | 'not_recorded' | 'not_reached';

export interface ReplayedStep {
  readonly key: string;
  readonly index: number;
  readonly verdict: ReplayVerdict;
  readonly reason: string | null;
  readonly output: unknown;
}

interface Replay {
  readonly recorded: ReadonlyMap<string, RecordedStep>;
  /** Inputs of the recorded run, and of the one that is tried. */
  readonly inputs: { before(name: string): unknown; now(name: string): unknown };
  readonly tools: ToolCheck;
  /** Whether two JSON values are the same. */
  same(one: unknown, other: unknown): boolean;
}

function judge(step: PlannedStep, replay: Replay): Omit<ReplayedStep, 'key' | 'index' | 'output'> {
  const { recorded, inputs, tools } = replay;
  const found = recorded.get(step.id);
  if (!found) return { verdict: 'not_recorded', reason: 'the run has no such step' };
  const outputs = (key: string) => recorded.get(key)?.output;
  const resolve = (value: unknown, input: Scope['input']) =>
    resolveReferences(value, { step: outputs, input });
  if (found.tool !== step.tool) {
    return { verdict: 'differs', reason: `the tool is "${step.tool}", it was "${found.tool}"` };
  }
  try {
    if (!replay.same(resolve(step.with, inputs.now), resolve(found.with, inputs.before))) {
      return { verdict: 'differs', reason: 'its input is another one' };
    }
  } catch (error) {
    if (!(error instanceof ReferenceProblem)) throw error;
    return { verdict: found.completed ? 'differs' : 'not_recorded', reason: error.message };
  }
  const allowed = tools.check(step.tool, step.with);
  if ('unknown' in allowed) return { verdict: 'differs', reason: `there is no tool "${step.tool}" any more` };
  if (allowed.bad !== null) return { verdict: 'differs', reason: allowed.bad };
  if (!found.completed) return { verdict: 'not_recorded', reason: found.missing };
  return { verdict: 'recorded', reason: null };
}

/**
 * Goes through a playbook with the results that a run has recorded, without calling a tool: says step by step, in the
 * order of the playbook, whether the result is known and where the run would differ.
 */
export function replayPlaybook(steps: readonly PlannedStep[], replay: Replay): ReplayedStep[] {
  const needs = new Map(steps.map((step) => [step.id, step.needs]));
  const own = new Map(steps.map((step) => [step.id, judge(step, replay)]));
  const lost = new Map<string, string>();
  // Steps may stand before what they wait for: again until nothing changes, at most once per step.
  for (let changed = true; changed; ) {
    changed = false;
    for (const { id } of steps) {
      if (lost.has(id)) continue;
      const blocker = needs.get(id)?.find((need) => lost.has(need) || own.get(need)?.verdict !== 'recorded');
      if (blocker === undefined) continue;
      lost.set(id, blocker);
      changed = true;
    }
  }
  return steps.map((step) => {
    const blocker = lost.get(step.id);
    const judged =
      blocker === undefined
        ? (own.get(step.id) ?? judge(step, replay))
        : { verdict: 'not_reached' as const, reason: `it waits for "${blocker}"` };
    const output = judged.verdict === 'recorded' ? replay.recorded.get(step.id)?.output : null;
    return { key: step.id, index: step.index, ...judged, output: output ?? null };
  });
}
