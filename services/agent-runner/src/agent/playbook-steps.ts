import { inputValue } from '../domain/inputs.ts';
import type { StoredPayload } from '../domain/payload.ts';
import type { PlaybookStep } from '../domain/playbook.ts';
import { findReferences, type Scope } from '../domain/reference.ts';
import type { FailedTry } from '../domain/retry.ts';
import { sumUsage, type Usage } from '../domain/usage.ts';
import { loadPayload } from '../storage/payloads.ts';
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
  /** Of all the calls that it may take. */
  readonly worstCase: readonly Usage[];
  /** Calls that have failed, as a worker before this one left them. */
  readonly tries: readonly FailedTry[];
  /** Set aside while it runs. */
  reserved: bigint;
}

const timesAttempts = (usage: readonly Usage[], { retry }: PlaybookStep): readonly Usage[] =>
  retry ? sumUsage(Array.from({ length: retry.attempts }, () => usage).flat()) : usage;

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
      worstCase: timesAttempts(implementation.estimate(source.with), source),
      tries: row.tries,
      reserved: 0n,
    });
  }
  return steps;
}

/** What a step has left, or where. */
export interface Output {
  readonly value: unknown;
  readonly stored: StoredPayload | null;
}

/**
 * What the references in this value may name, with the large outputs among them.
 * @throws ReferenceProblem; ObjectStoreError when the store has lost one
 */
export async function openScope(
  context: RunContext,
  outputs: ReadonlyMap<string, Output>,
  value: unknown,
): Promise<Scope> {
  const opened = new Map<string, unknown>();
  for (const { reference } of findReferences(value)) {
    if (reference.from !== 'step' || opened.has(reference.step)) continue;
    const output = outputs.get(reference.step);
    if (!output) continue;
    const { value: inline, stored } = output;
    opened.set(reference.step, await loadPayload(context.objects, inline, stored, context.signal));
  }
  return {
    step: (key) => opened.get(key),
    input(name) {
      const input = Object.hasOwn(context.inputs, name) ? context.inputs[name] : undefined;
      return input && inputValue(input);
    },
  };
}
