import { findReferences, ReferenceProblem } from './reference.ts';

/** A playbook whose shape has been checked; this file checks its meaning. */
export interface Playbook {
  readonly name: string;
  readonly inputs: Readonly<Record<string, PlaybookInput>>;
  readonly steps: readonly PlaybookStep[];
}
export interface PlaybookInput {
  readonly type: 'string' | 'number' | 'boolean' | 'file';
  readonly default?: string | number | boolean | undefined;
}
export interface PlaybookStep {
  readonly id: string;
  readonly name?: string | undefined;
  readonly tool: string;
  readonly needs: readonly string[];
  readonly with: Readonly<Record<string, unknown>>;
  readonly artifacts: readonly string[];
  readonly required: boolean;
  readonly retry?: StepRetry | undefined;
}
/** How often a call is made, and the first pause. */
export interface StepRetry {
  readonly attempts: number;
  readonly backoff_seconds: number;
}

/** A step in its place: `needs` holds what the author wrote and what the references imply, without repeats. */
export interface PlannedStep extends PlaybookStep {
  readonly index: number;
}

export type PlaybookProblemCode =
  | 'duplicate_step_id'
  | 'unknown_tool'
  | 'unknown_need'
  | 'unknown_reference'
  | 'unknown_input'
  | 'bad_reference'
  | 'bad_input'
  | 'bad_retry'
  | 'cycle';

/** What is wrong with a playbook, and with which step (null: with its inputs). */
export class PlaybookProblem extends Error {
  override readonly name = 'PlaybookProblem';
  readonly code: PlaybookProblemCode;
  readonly step: string | null;

  constructor(code: PlaybookProblemCode, step: string | null, message: string) {
    super(step === null ? message : `step "${step}": ${message}`);
    this.code = code;
    this.step = step;
  }
}

/** What a tool says about the `with` of a step before the run; `bad` names what is wrong. */
export interface ToolCheck {
  check(tool: string, input: Readonly<Record<string, unknown>>): { unknown: true } | { bad: string | null };
  /** Whether such a call may be made again without anything happening twice. */
  repeatable(tool: string, input: Readonly<Record<string, unknown>>): boolean;
}

function impliedNeeds(step: PlaybookStep, playbook: Playbook, ids: ReadonlySet<string>): Set<string> {
  const needs = new Set<string>();
  let found: ReturnType<typeof findReferences>;
  try {
    found = findReferences(step.with);
  } catch (error) {
    if (error instanceof ReferenceProblem) throw new PlaybookProblem('bad_reference', step.id, error.message);
    throw error;
  }
  for (const { reference, path } of found) {
    const place = `with.${path.join('.')}`;
    if (reference.from === 'input') {
      if (!Object.hasOwn(playbook.inputs, reference.input)) {
        const message = `${place} refers to the input "${reference.input}", which the playbook does not declare`;
        throw new PlaybookProblem('unknown_input', step.id, message);
      }
    } else if (!ids.has(reference.step)) {
      const message = `${place} refers to the step "${reference.step}", which does not exist`;
      throw new PlaybookProblem('unknown_reference', step.id, message);
    } else {
      needs.add(reference.step);
    }
  }
  return needs;
}

function planStep(
  step: PlaybookStep,
  index: number,
  playbook: Playbook,
  ids: ReadonlySet<string>,
): PlannedStep {
  for (const need of step.needs) {
    if (!ids.has(need)) {
      throw new PlaybookProblem('unknown_need', step.id, `needs "${need}", which does not exist`);
    }
  }
  const needs = new Set([...step.needs, ...impliedNeeds(step, playbook, ids)]);
  return { ...step, index, needs: [...needs] };
}

/**
 * The first cycle among the steps as a list of ids that ends where it began, or null (depth-first search with
 * three colours, without recursion: a playbook may be thousands of steps deep).
 */
export function findCycle(steps: readonly { readonly id: string; readonly needs: readonly string[] }[]) {
  const needsOf = new Map(steps.map((step) => [step.id, step.needs]));
  const done = new Set<string>();
  for (const start of steps) {
    if (done.has(start.id)) continue;
    const path = [{ id: start.id, next: 0 }];
    const onPath = new Set([start.id]);
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const need = needsOf.get(top.id)?.[top.next++];
      if (need === undefined) {
        done.add(top.id);
        onPath.delete(top.id);
        path.pop();
      } else if (onPath.has(need)) {
        const ids = path.map((entry) => entry.id);
        return [...ids.slice(ids.indexOf(need)), need];
      } else if (!done.has(need)) {
        onPath.add(need);
        path.push({ id: need, next: 0 });
      }
    }
  }
  return null;
}

/**
 * Checks a playbook's meaning and works out what each step waits for: ids are unique, tools exist and accept
 * their input, every need and reference names something, nothing waits for itself.
 * @throws PlaybookProblem naming the step
 */
export function planPlaybook(playbook: Playbook, tools: ToolCheck): readonly PlannedStep[] {
  const ids = new Set<string>();
  for (const step of playbook.steps) {
    if (ids.has(step.id)) {
      throw new PlaybookProblem('duplicate_step_id', step.id, 'another step has the same id');
    }
    ids.add(step.id);
  }
  const planned = playbook.steps.map((step, index) => planStep(step, index, playbook, ids));
  const cycle = findCycle(planned);
  if (cycle) throw new PlaybookProblem('cycle', cycle[0] ?? null, `waits for itself: ${cycle.join(' → ')}`);
  for (const step of planned) {
    const verdict = tools.check(step.tool, step.with);
    if ('unknown' in verdict) {
      throw new PlaybookProblem('unknown_tool', step.id, `the tool "${step.tool}" does not exist`);
    }
    if (verdict.bad !== null) throw new PlaybookProblem('bad_input', step.id, verdict.bad);
    if (step.retry && !tools.repeatable(step.tool, step.with)) {
      const message = `a call of "${step.tool}" cannot be made again without its effect happening twice: leave "retry" out`;
      throw new PlaybookProblem('bad_retry', step.id, message);
    }
  }
  return planned;
}
