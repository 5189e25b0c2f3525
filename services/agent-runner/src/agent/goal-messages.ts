import { createHash } from 'node:crypto';
import type { ModelMessage } from 'ai';
import { z } from 'zod';
import { jsonText, ordered, storableText } from '../domain/payload.ts';
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

/**
 * Providers take objects only; arguments that were none have been refused, and are shown as what they were. Keys in one
 * order: rows do not keep the model's, and a changed prompt would miss the provider's cache.
 */
const shownInput = (input: unknown) =>
  typeof input === 'object' && input !== null && !Array.isArray(input)
    ? ordered(input)
    : { arguments: input };

/** A message as the model takes it: the same from rows as from memory. Summaries have their own way in. */
export function toModelMessage(message: GoalMessage): ModelMessage | null {
  switch (message.role) {
    case 'assistant': {
      const content = message.content
        .filter((part) => part.type !== 'cut')
        .map((part) =>
          part.type === 'text'
            ? part
            : { ...part, toolName: shownName(part.toolName), input: shownInput(part.input) },
        );
      // Providers refuse an answer without content; an empty one is followed by a nudge that speaks of it.
      return content.length === 0 ? null : { role: 'assistant', content };
    }
    case 'tool':
      return {
        role: 'tool',
        content: message.content.map((part) => ({ ...part, toolName: shownName(part.toolName) })),
      };
    case 'user':
      return {
        role: 'user',
        content: typeof message.content === 'string' ? message.content : message.content.text,
      };
    case 'system':
      return null;
  }
}

const callIdPattern = /^[A-Za-z0-9_-]{1,40}$/;

/** Ids of one provider may be none for another that stands in for it later. */
function callId(given: string, place: number): string {
  if (given === '') return `call-${place}`;
  if (callIdPattern.test(given)) return given;
  return `call_${createHash('sha256').update(given).digest('hex').slice(0, 24)}`;
}

/** Names that a model has made up may be none that a provider takes back. */
const shownName = (name: string) => name.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, 64) || 'unnamed';

/** The model's answer as a message. Ids of calls are made unique: results are told apart by them. */
export function assistantMessage(text: string, calls: readonly AskedCall[], cut: boolean): GoalMessage {
  const seen = new Set<string>();
  const unique = calls.map((call, place) => {
    const id = callId(call.toolCallId, place);
    const toolCallId = seen.has(id) ? `${id.slice(0, 32)}-${place}` : id;
    seen.add(toolCallId);
    // As the row will have it: a successor shows the model the same.
    const input: unknown = JSON.parse(jsonText(call.input));
    return { type: 'tool-call' as const, ...call, input, toolCallId };
  });
  const content = [
    // Blank words before a call are common, and refused by Anthropic in what it is shown again.
    ...(text.trim() === '' ? [] : [{ type: 'text' as const, text: storableText(text) }]),
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
  const text = shorten(storableText(outcome.text), maxResultCharacters, outcome.whole);
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
  const gone = `… ${text.length - 2 * half} characters left out${where} …`;
  // A cut may go through a pair of surrogates, which is no text.
  return `${text.slice(0, half)}\n${gone}\n${text.slice(-half)}`.toWellFormed();
}

/** The row of a message. */
export function messageRow(
  { index, message }: LogEntry,
  of: { readonly stepId?: string; readonly inputTokens?: number; readonly outputTokens?: number } = {},
): NewMessage {
  const { stepId = null, inputTokens = 0, outputTokens = 0 } = of;
  return { index, role: message.role, content: message.content, stepId, inputTokens, outputTokens };
}
