import { z } from 'zod';
import type { ToolCheck } from '../domain/playbook.ts';
import type { Tool } from './tool.ts';

/** The tools of this installation by name. */
export interface ToolRegistry extends ToolCheck {
  find(name: string): Tool | undefined;
  list(): readonly Tool[];
}

/** Tools that come and go while the service runs. */
export interface ToolSource {
  list(): readonly Tool[];
  /** Also tools that cannot be used now: they say why. */
  find(name: string): Tool | undefined;
}

/** True when the value at `path`, or one around it, is a string with a reference: its type is not known yet. */
function holdsReference(input: unknown, path: readonly PropertyKey[]): boolean {
  let value = input;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) break;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return typeof value === 'string' && value.includes('${{');
}

/** What is wrong with a step's `with`, as text; null when nothing is, as far as can be told before the run. */
function complaint(tool: Tool, input: Readonly<Record<string, unknown>>): string | null {
  const reason = tool.unavailable();
  if (reason !== null) return `the tool "${tool.name}" is not available: ${reason}`;
  const parsed = tool.input.safeParse(input);
  const issues = (parsed.error?.issues ?? []).filter((issue) => !holdsReference(input, issue.path));
  if (issues.length === 0) return null;
  return issues
    .map((issue) => `with.${issue.path.join('.')}: ${issue.message}`.replace('with.:', 'with:'))
    .join('; ');
}

/**
 * Puts tools together; a later one of the same name wins, and one that stays wins over those that come and go.
 */
export function createToolRegistry(
  tools: readonly Tool[],
  sources: readonly ToolSource[] = [],
): ToolRegistry {
  const byName = new Map(tools.map((tool) => [tool.name, tool]));
  const find = (name: string) => {
    const stays = byName.get(name);
    if (stays) return stays;
    for (const source of sources) {
      const found = source.find(name);
      if (found) return found;
    }
    return undefined;
  };
  return {
    find,
    list: () => [...byName.values(), ...sources.flatMap((source) => source.list())],
    check(name, input) {
      const tool = find(name);
      return tool ? { bad: complaint(tool, input) } : { unknown: true };
    },
    repeatable(name, input) {
      const tool = find(name);
      if (!tool) return false;
      if (tool.resume === 'repeat') return true;
      const parsed = tool.input.safeParse(input);
      // While references stand for values nobody knows more than the tool says of all its calls.
      const effect = (parsed.success && tool.effectOf?.(parsed.data)) || tool.effect;
      return effect === 'read' && tool.resume === 'lookup';
    },
  };
}

const schemas = new WeakMap<Tool, Record<string, unknown>>();

/** A tool's input as JSON Schema, for models and for `GET /v1/tools`. */
export function inputSchemaOf(tool: Tool): Record<string, unknown> {
  const made = schemas.get(tool) ?? makeSchema(tool);
  schemas.set(tool, made);
  return made;
}

function makeSchema({ input, inputSchema }: Tool): Record<string, unknown> {
  if (inputSchema) return { ...inputSchema };
  return {
    ...z.toJSONSchema(input, {
      io: 'input',
      unrepresentable: 'any',
      // That names are strings goes without saying in JSON, and not every provider takes it.
      override: ({ jsonSchema }) => void delete jsonSchema.propertyNames,
    }),
  };
}
