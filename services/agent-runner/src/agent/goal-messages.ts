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
/** The answer was cut at the limit of its length. */
const cutPart = z.object({ type: z.literal('cut') });
const resultPart = z.object({
  type: z.literal('tool-result'),
  toolCallId: z.string(),
  toolName: z.string(),
  output: z.discriminatedUnion('type', [
    z.object({ type: z.literal('text'), value: z.string() }),
    z.object({ type: z.literal('error-text'), value: z.string() }),
  ]),
});
/** What the loop says to the model, in the place of the user. */
const nudge = z.object({ kind: z.literal('nudge'), reason: z.string(), text: z.string() });
/** Stands for all messages up to `through`, but the first, in what the model is shown. */
const summary = z.object({ kind: z.literal('summary'), through: z.number().int(), text: z.string() });
const stored = z.discriminatedUnion('role', [
  z.object({ role: z.literal('user'), content: z.union([z.string(), nudge]) }),
  z.object({ role: z.literal('system'), content: summary }),
  z.object({
    role: z.literal('assistant'),
    content: z.array(z.discriminatedUnion('type', [textPart, callPart, cutPart])),
  }),
  z.object({ role: z.literal('tool'), content: z.array(resultPart) }),
]);
/** A message in the form that rows keep. */
export type GoalMessage = z.infer<typeof stored>;

/** A message with its place among the rows. They are only ever added to. */
export interface LogEntry {
  readonly index: number;
  readonly message: GoalMessage;
}

/** Longer results of a tool are cut in the middle: the beginning tells what it is, the end how it went. */
export const maxResultCharacters = 16_000;

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
export function readConversation(rows: readonly MessageRow[]): LogEntry[] {
  return rows.map((row) => ({
    index: row.message_index,
    message: stored.parse({ role: row.role, content: row.content }),
  }));
}

/** Keys in one order: rows do not keep the model's, and a changed prompt would miss the provider's cache. */
export function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, ordered(inner)]));
}

/** Providers take objects only; arguments that were none have been refused, and are shown as what they were. */
const shownInput = (input: unknown) =>
  typeof input === 'object' && input !== null && !Array.isArray(input)
    ? ordered(input)
    : { arguments: input };

/** A message as the model takes it: the same from rows as from memory. Summaries have their own way in. */
export function toModelMessage(message: GoalMessage): ModelMessage | null {
  switch (message.role) {
    case 'assistant': {
      const content = message.content.flatMap((part) => {
        if (part.type === 'cut') return [];
        return [part.type === 'tool-call' ? { ...part, input: shownInput(part.input) } : part];
      });
      // Providers refuse an answer without content; an empty one is followed by a nudge that speaks of it.
      return content.length === 0 ? null : { role: 'assistant', content };
    }
    case 'tool':
      return { role: 'tool', content: message.content };
    case 'user':
      return {
        role: 'user',
        content: typeof message.content === 'string' ? message.content : message.content.text,
      };
    case 'system':
      return null;
  }
}

/** The model's answer as a message. Ids of calls are made unique: results are told apart by them. */
export function assistantMessage(text: string, calls: readonly AskedCall[], cut: boolean): GoalMessage {
  const seen = new Set<string>();
  const unique = calls.map((call, place) => {
    const free = call.toolCallId !== '' && !seen.has(call.toolCallId);
    const toolCallId = free ? call.toolCallId : `${call.toolCallId || 'call'}-${place}`;
    seen.add(toolCallId);
    return { type: 'tool-call' as const, ...call, toolCallId };
  });
  const content = [
    ...(text === '' ? [] : [{ type: 'text' as const, text }]),
    ...unique,
    ...(cut && calls.length === 0 ? [{ type: 'cut' as const }] : []),
  ];
  return { role: 'assistant', content };
}

/** What came of a call, as the model is told; `whole` is where the rest of a long text can be read. */
export function toolMessage(
  call: AskedCall,
  outcome: { readonly text: string; readonly failed: boolean; readonly whole?: string | undefined },
): GoalMessage {
  const text = shorten(outcome.text, maxResultCharacters, outcome.whole);
  const { toolCallId, toolName } = call;
  const output = outcome.failed
    ? { type: 'error-text' as const, value: text }
    : { type: 'text' as const, value: text };
  return { role: 'tool', content: [{ type: 'tool-result', toolCallId, toolName, output }] };
}

/** Cuts a text in the middle to about `limit` characters, and says what is missing and where it is. */
export function shorten(text: string, limit: number, whole?: string): string {
  if (text.length <= limit) return text;
  const half = Math.floor(limit / 2);
  const where = whole === undefined ? '' : `; the whole text is in ${whole}`;
  return `${text.slice(0, half)}\n… ${text.length - 2 * half} characters left out${where} …\n${text.slice(-half)}`;
}

/** The row of a message. */
export function messageRow(
  { index, message }: LogEntry,
  of: { readonly stepId?: string; readonly inputTokens?: number; readonly outputTokens?: number } = {},
): NewMessage {
  const { stepId = null, inputTokens = 0, outputTokens = 0 } = of;
  return { index, role: message.role, content: message.content, stepId, inputTokens, outputTokens };
}
