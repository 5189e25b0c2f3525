import { z } from 'zod';
import type { ModelRefusal, ModelReply } from './model-script.ts';

/** One server-sent event; `data` that is no string is sent as JSON. */
export interface SentEvent {
  readonly event?: string;
  readonly data: unknown;
}

/** How one provider says things. */
export interface WireFormat {
  readonly api: 'openai' | 'anthropic' | 'images' | 'embeddings';
  whole(reply: ModelReply, number: number, model: string, body: Readonly<Record<string, unknown>>): unknown;
  streamed(reply: ModelReply, number: number, model: string, withUsage: boolean): SentEvent[];
  refused(refusal: ModelRefusal): unknown;
  /** An error in the middle of a stream. */
  brokenOff(): SentEvent;
}

/**
 * Why a provider refuses the tools of a request, or null: their input is an object, without alternatives at its top.
 * @see https://docs.anthropic.com/en/docs/agents-and-tools/tool-use/implement-tool-use
 */
export function toolProblem(
  tools: readonly { readonly name: string; readonly schema: unknown }[],
): string | null {
  for (const [place, { name, schema }] of tools.entries()) {
    const given = (schema ?? {}) as Record<string, unknown>;
    if (given.type !== 'object') return `tools.${place} (${name}): the input schema has no type "object"`;
    const combined = ['oneOf', 'anyOf', 'allOf', 'not', 'enum'].find((each) => each in given);
    if (combined)
      return `tools.${place} (${name}): the input schema does not support ${combined} at the top level`;
  }
  return null;
}

const shownPart = z.looseObject({
  type: z.string().optional(),
  text: z.string().optional(),
  id: z.string().optional(),
  name: z.string().optional(),
});
const shownMessage = z.looseObject({
  role: z.string(),
  content: z.union([z.string(), z.null(), z.array(shownPart)]).optional(),
  tool_calls: z
    .array(z.looseObject({ id: z.string(), function: z.looseObject({ name: z.string() }) }))
    .default([]),
});

/** Why a provider refuses what it is shown of a conversation, or null: blank text, ids and names of calls that are none. */
export function historyProblem(api: WireFormat['api'], messages: readonly unknown[]): string | null {
  for (const [place, given] of messages.entries()) {
    const { content, tool_calls: calls } = shownMessage.parse(given);
    for (const { id, function: called } of calls) {
      if (id.length > 40) return `messages.${place}.tool_calls: the id is longer than 40`;
      if (!/^[a-zA-Z0-9_-]{1,64}$/.test(called.name))
        return `messages.${place}.tool_calls: "${called.name}" is no name`;
    }
    if (api !== 'anthropic') continue;
    for (const part of Array.isArray(content) ? content : []) {
      if (part.type === 'text' && part.text?.trim() === '')
        return `messages.${place}: text content blocks must contain non-whitespace text`;
      if (part.type !== 'tool_use') continue;
      if (!/^[a-zA-Z0-9_-]+$/.test(part.id ?? ''))
        return `messages.${place}: "${part.id}" is no id of a tool use`;
      if (!/^[a-zA-Z0-9_-]{1,128}$/.test(part.name ?? ''))
        return `messages.${place}: "${part.name}" is no name of a tool`;
    }
  }
  return null;
}

const pieceLength = 12;

/** Text as it trickles out of a model. */
export function piecesOf(text: string): string[] {
  const pieces: string[] = [];
  for (let at = 0; at < text.length; at += pieceLength) pieces.push(text.slice(at, at + pieceLength));
  return pieces;
}

/** Arguments of a call as the wire carries them: a string stays what it is, broken or not. */
export function argumentsOf(input: unknown): string {
  return typeof input === 'string' ? input : JSON.stringify(input ?? {});
}
