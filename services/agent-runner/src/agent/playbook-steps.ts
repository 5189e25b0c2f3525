import { inputValue } from '../domain/inputs.ts';
import type { PlaybookStep } from '../domain/playbook.ts';
import type { Scope } from '../domain/reference.ts';
import type { Usage } from '../domain/usage.ts';
import type { StepRow } from '../store/steps.ts';
import type { Tool } from '../tools/tool.ts';
import type { RunContext } from './run-context.ts';
import { RunFailed } from './stops.ts';

/** A step with all that is needed to run it. */
export interface Step {
  readonly stepId: string;
  readonly key: string;
  readonly index: number;
  /** The type, as rows and events name it. */
  readonly tool: string;
  readonly implementation: Tool;
  readonly source: PlaybookStep;
  readonly required: boolean;
  readonly worstCase: readonly Usage[];
  /** Set aside while it runs. */
  reserved: bigint;
}

/** Joins rows, playbook and tools. @throws RunFailed tool_unavailable */
export function bindSteps(
  context: RunContext,
  rows: readonly StepRow[],
  sources: readonly PlaybookStep[],
): Map<string, Step> {
  const sourceOf = new Map(sources.map((source) => [source.id, source]));
  const steps = new Map<string, Step>();
  for (const row of rows) {
    const source = sourceOf.get(row.step_key);
    const implementation = source && context.tools.find(source.tool);
    if (!source || !implementation) {
      throw new RunFailed(
        'tool_unavailable',
        `step "${row.step_key}" uses a tool that this installation does not have`,
      );
    }
    steps.set(row.step_key, {
      stepId: row.id,
      key: row.step_key,
      index: row.step_index,
      tool: row.tool,
      implementation,
      source,
      required: row.required,
      worstCase: implementation.estimate(source.with),
      reserved: 0n,
    });
  }
  return steps;
}

/** What references of this run's steps may name. */
export function createScope(context: RunContext, outputs: ReadonlyMap<string, unknown>): Scope {
  return {
    step: (key) => outputs.get(key),
    input(name) {
      const input = Object.hasOwn(context.inputs, name) ? context.inputs[name] : undefined;
      return input && inputValue(input);
    },
  };
}
