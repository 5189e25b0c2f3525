import type { ModelMessage } from 'ai';
import { z } from 'zod';
import type { NewMessage } from '../store/advance.ts';
import type { MessageRow } from '../store/messages.ts';
import type { RunContext } from './run-context.ts';

/** A call that the model asked for. */
export interface AskedCall {
  readonly toolCallId: string;
  readonly toolName: string;
  readonly input: unknown;
}

const textPart = z.object({ type: z.literal('text'), text: z.string() });
const callPart = z.object({
  type: z.literal('tool-call'),
  toolCallId: z.string(),
  toolName: z.string(),
  input: z.unknown(),
});
const resultPart = z.object({
  type: z.literal('tool-result'),
  toolCallId: z.string(),
  toolName: z.string(),
  output: z.discriminatedUnion('type', [
    z.object({ type: z.literal('text'), value: z.string() }),
    z.object({ type: z.literal('error-text'), value: z.string() }),
  ]),
});
const stored = z.discriminatedUnion('role', [
  z.object({ role: z.literal('user'), content: z.string() }),
  z.object({
    role: z.literal('assistant'),
    content: z.array(z.discriminatedUnion('type', [textPart, callPart])),
  }),
  z.object({ role: z.literal('tool'), content: z.array(resultPart) }),
]);
/** A message in the form that rows keep and models are given. */
export type GoalMessage = z.infer<typeof stored>;

/** Longer results of a tool are cut in the middle: the beginning tells what it is, the end how it went. */
const maxResultCharacters = 16_000;

/** The user's goal and the files that came with it: the first message. */
export function openingMessage(context: RunContext): GoalMessage {
  const files = Object.values(context.inputs).flatMap((input) => (input.kind === 'file' ? [input.path] : []));
  const values = Object.entries(context.inputs).flatMap(([name, input]) =>
    input.kind === 'value' ? [`${name}: ${input.value}`] : [],
  );
  const parts = [context.run.goal ?? ''];
  if (files.length > 0) parts.push(`Files in the workspace: ${files.join(', ')}`);
  if (values.length > 0) parts.push(`Given values:\n${values.join('\n')}`);
  return { role: 'user', content: parts.join('\n\n') };
}

/** Reads a conversation back from its rows. */
export function readConversation(rows: readonly MessageRow[]): GoalMessage[] {
  return rows.map((row) => stored.parse({ role: row.role, content: row.content }));
}

/** Keys in one order: rows do not keep the model's, and a changed prompt would miss the provider's cache. */
function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, ordered(inner)]));
}

/** A conversation as the model takes it: the same from rows as from memory. */
export function toModelMessages(messages: readonly GoalMessage[]): ModelMessage[] {
  return messages.map((message): ModelMessage => {
    if (message.role === 'assistant') {
      const content = message.content.map((part) =>
        part.type === 'tool-call' ? { ...part, input: ordered(part.input) } : part,
      );
      return { role: 'assistant', content };
    }
    if (message.role === 'tool') return { role: 'tool', content: message.content };
    return { role: 'user', content: message.content };
  });
}

/** The model's answer as a message. */
export function assistantMessage(text: string, calls: readonly AskedCall[]): GoalMessage {
  const content = [
    ...(text === '' ? [] : [{ type: 'text' as const, text }]),
    ...calls.map((call) => ({ type: 'tool-call' as const, ...call })),
  ];
  return { role: 'assistant', content };
}

/** What came of a call, as the model is told. */
export function toolMessage(
  call: AskedCall,
  outcome: { readonly value: unknown; readonly failed: boolean },
): GoalMessage {
  const text = shorten(
    typeof outcome.value === 'string' ? outcome.value : JSON.stringify(outcome.value ?? null),
  );
  const { toolCallId, toolName } = call;
  const output = outcome.failed
    ? { type: 'error-text' as const, value: text }
    : { type: 'text' as const, value: text };
  return { role: 'tool', content: [{ type: 'tool-result', toolCallId, toolName, output }] };
}

function shorten(text: string): string {
  if (text.length <= maxResultCharacters) return text;
  const half = maxResultCharacters / 2;
  return `${text.slice(0, half)}\n… ${text.length - maxResultCharacters} characters left out …\n${text.slice(-half)}`;
}

/** The row of a message. */
export function messageRow(
  index: number,
  message: GoalMessage,
  of: { readonly stepId?: string; readonly inputTokens?: number; readonly outputTokens?: number } = {},
): NewMessage {
  const { stepId = null, inputTokens = 0, outputTokens = 0 } = of;
  return { index, role: message.role, content: message.content, stepId, inputTokens, outputTokens };
}

/**
 * What a conversation waits for: an answer of the model, the results of calls it asked for (with their places in
 * the conversation), or nothing, with the final text.
 */
export function nextTurn(
  messages: readonly GoalMessage[],
):
  | { readonly turn: 'model' }
  | { readonly turn: 'tools'; readonly asked: number; readonly calls: readonly AskedCall[] }
  | { readonly turn: 'done'; readonly text: string } {
  const asked = messages.findLastIndex((message) => message.role !== 'tool');
  const message = messages[asked];
  if (message?.role !== 'assistant') return { turn: 'model' };
  const calls = message.content.flatMap((part) => (part.type === 'tool-call' ? [part] : []));
  const answered = messages.length - 1 - asked;
  if (calls.length > answered) return { turn: 'tools', asked, calls: calls.slice(answered) };
  if (calls.length > 0) return { turn: 'model' };
  const text = message.content.map((part) => (part.type === 'text' ? part.text : '')).join('');
  return { turn: 'done', text };
}
