import { once } from 'node:events';
import { z } from 'zod';
import type { Tool, ToolContext } from '../../src/tools/tool.ts';

/** A tool whose calls wait until the test lets them go, and which counts them. */
export interface Gate {
  readonly tool: Tool;
  /** Names of the calls that have begun, in order. */
  readonly begun: { readonly name: string; readonly stepId: string; readonly attempt: number }[];
  open(name: string): void;
}

const input = z.strictObject({
  /** `pass` goes through at once, `fail` fails, `fail twice` fails a step's first two calls, anything else waits for `open`. */
  name: z.string(),
  cost: z.number().int().default(0),
});

/** Priced as connector calls, `cost` of them each. */
export function createGate(): Gate {
  const opened = new Set<string>();
  const waiting = new Map<string, () => void>();
  const begun: Gate['begun'] = [];
  const usage = (cost: unknown) =>
    typeof cost === 'number' && cost > 0 ? [{ operation: 'connector.call', quantity: String(cost) }] : [];
  const wait = (name: string, { signal }: ToolContext) =>
    Promise.race([
      new Promise<void>((resolve) => waiting.set(name, resolve)),
      once(signal, 'abort').then(() => signal.throwIfAborted()),
    ]);
  const tool: Tool<z.infer<typeof input>> = {
    name: 'gate',
    type: 'connector',
    description: 'Waits until the test opens it',
    input,
    offered: false,
    effect: 'write',
    resume: 'repeat',
    timeoutSeconds: 600,
    unavailable: () => null,
    estimate: ({ cost }) => usage(cost),
    async run({ name, cost }, context) {
      begun.push({ name, stepId: context.stepId, attempt: context.attempt });
      const calls = begun.filter((call) => call.stepId === context.stepId).length;
      if (name === 'fail' || (name === 'fail twice' && calls <= 2))
        return {
          output: null,
          usage: usage(cost),
          failure: { code: 'told_to', message: 'it was told to fail' },
        };
      if (name !== 'pass' && name !== 'fail twice' && !opened.has(name)) await wait(name, context);
      return { output: { name }, usage: usage(cost) };
    },
  };
  return {
    tool,
    begun,
    open(name) {
      opened.add(name);
      waiting.get(name)?.();
    },
  };
}

/** A step that goes through a gate. */
export function gateStep(id: string, name: string, more: Record<string, unknown> = {}) {
  const { cost, ...rest } = more;
  return { id, tool: 'gate', with: { name, ...(cost === undefined ? {} : { cost }) }, ...rest };
}
