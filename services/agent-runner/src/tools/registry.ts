import { z } from 'zod';
import type { ToolCheck } from '../domain/playbook.ts';
import type { Tool } from './tool.ts';

/** The tools of this installation by name. */
export interface ToolRegistry extends ToolCheck {
  find(name: string): Tool | undefined;
  list(): readonly Tool[];
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
 * Puts tools together; a later one of the same name wins.
 */
export function createToolRegistry(tools: readonly Tool[]): ToolRegistry {
  const byName = new Map(tools.map((tool) => [tool.name, tool]));
  return {
    find: (name) => byName.get(name),
    list: () => [...byName.values()],
    check(name, input) {
      const tool = byName.get(name);
      return tool ? { bad: complaint(tool, input) } : { unknown: true };
    },
  };
}

/** A tool's input as JSON Schema, for models and for `GET /v1/tools`. */
export function inputSchemaOf(tool: Tool): Record<string, unknown> {
  return { ...z.toJSONSchema(tool.input, { io: 'input', unrepresentable: 'any' }) };
}
