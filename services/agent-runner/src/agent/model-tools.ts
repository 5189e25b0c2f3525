import { jsonSchema, type ToolSet, tool } from 'ai';
import { estimateTokens } from '../domain/model-tokens.ts';
import { modelSchemaOf } from '../tools/model-schema.ts';
import { inputSchemaOf } from '../tools/registry.ts';
import type { Tool } from '../tools/tool.ts';

/** Bytes that a tool takes of the prompt beside its name, description and schema, about. */
const bytesPerTool = 100;

/** A tool as models are told of it, and how much of the prompt that takes. */
interface Described {
  readonly told: ToolSet[string];
  readonly bytes: number;
}

/** Every run asks with the same tools, again and again. */
const described = new WeakMap<Tool, Described>();

function describe(each: Tool): Described {
  const { name, description } = each;
  const schema = modelSchemaOf(inputSchemaOf(each));
  const bytes = Buffer.byteLength(`${name}${description}${JSON.stringify(schema)}`) + bytesPerTool;
  const made = { told: tool({ description, inputSchema: jsonSchema(schema) }), bytes };
  described.set(each, made);
  return made;
}

const known = (each: Tool): Described => described.get(each) ?? describe(each);

/** The tools for the model, without anything that would run them: the loop does that. */
export function toolSet(tools: readonly Tool[]): ToolSet {
  return Object.fromEntries(tools.map((each) => [each.name, known(each).told]));
}

/** Tokens of instructions and tools: of everything but the conversation. */
export function overheadOf(instructions: string, tools: readonly Tool[]): number {
  const bytes = tools.reduce((sum, each) => sum + known(each).bytes, Buffer.byteLength(instructions));
  return estimateTokens(bytes);
}
