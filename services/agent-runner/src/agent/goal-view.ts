import type { ModelMessage } from 'ai';
import { estimateTokens } from '../domain/model-tokens.ts';
import { type GoalMessage, type LogEntry, shorten, toModelMessage } from './goal-messages.ts';
import { type Exchange, exchangesOf } from './goal-turns.ts';

/** How much of a conversation the model may be shown, in tokens. */
export interface ViewLimits {
  /** Above it, old results of tools are shown in short. */
  readonly soft: number;
  /** Above it, nothing is asked: the conversation is summed up first, or its oldest part left out. */
  readonly hard: number;
}

/** What the model is shown of a conversation. */
export interface View {
  readonly messages: ModelMessage[];
  readonly tokens: number;
}

type Item = LogEntry | Exchange;

/** The latest answers, whose results are shown whole. */
const recentAnswers = 6;
/** The line moves by so many at a time: what stands before it stays the same, and in the provider's cache. */
const stride = 4;
const shortResult = 600;

/** A summary with what it stands for. */
export function lastSummary(
  log: readonly LogEntry[],
): { readonly through: number; readonly text: string } | null {
  const found = log.findLast(({ message }) => message.role === 'system');
  return found?.message.role === 'system' ? found.message.content : null;
}

/** Everything but the first message that no summary stands for. */
export function unsummed(log: readonly LogEntry[]): Item[] {
  const through = lastSummary(log)?.through ?? 0;
  return exchangesOf(log.filter(({ index, message }) => index > through && message.role !== 'system'));
}

function shortened(message: GoalMessage): GoalMessage {
  if (message.role !== 'tool') return message;
  const content = message.content.map((part) => ({
    ...part,
    output: { ...part.output, value: shorten(part.output.value, shortResult) },
  }));
  return { ...message, content };
}

function render(items: readonly Item[], shortBefore: number): ModelMessage[] {
  let answers = 0;
  return items.flatMap((item) => {
    if (!('answer' in item)) return toModelMessage(item.message) ?? [];
    answers += 1;
    const results = item.results.map(({ message }) =>
      answers <= shortBefore ? shortened(message) : message,
    );
    return [item.answer.message, ...results].flatMap((message) => toModelMessage(message) ?? []);
  });
}

const tokensOf = (messages: readonly ModelMessage[]) =>
  estimateTokens(Buffer.byteLength(JSON.stringify(messages)));

/**
 * The conversation as the model is shown it: the goal, a summary where there is one, and what came after it; results
 * of old calls in short once it grows beyond `soft`. Depends on the rows alone, so a successor shows the same.
 */
export function viewOf(log: readonly LogEntry[], limits: ViewLimits): View {
  const [opening] = log;
  const summed = lastSummary(log);
  const head = opening ? [toModelMessage(opening.message)].filter((message) => message !== null) : [];
  if (summed) head.push({ role: 'user', content: `What has been done so far, in short:\n\n${summed.text}` });
  const items = summed ? unsummed(log) : exchangesOf(log.slice(1));
  const whole = [...head, ...render(items, 0)];
  const tokens = tokensOf(whole);
  if (tokens <= limits.soft) return { messages: whole, tokens };
  const answers = items.filter((item) => 'answer' in item).length;
  const old = Math.max(answers - recentAnswers, 0);
  const messages = [...head, ...render(items, old - (old % stride))];
  return { messages, tokens: tokensOf(messages) };
}

/** The last resort: leaves out the oldest exchanges, then shortens all results, until it fits `hard`. */
export function fittingView(log: readonly LogEntry[], limits: ViewLimits): View {
  const [opening] = log;
  const summed = lastSummary(log);
  const head: ModelMessage[] = opening
    ? [toModelMessage(opening.message)].filter((message) => message !== null)
    : [];
  const items = summed ? unsummed(log) : exchangesOf(log.slice(1));
  for (let from = 0; ; from += 1) {
    const rest = items.slice(from);
    const gone = from === 0 ? '' : `\n\n(${from} earlier parts of the conversation are left out.)`;
    const note = `${summed ? `What has been done so far, in short:\n\n${summed.text}` : ''}${gone}`.trim();
    const noted: ModelMessage[] = note === '' ? [] : [{ role: 'user', content: note }];
    const messages = [...head, ...noted, ...render(rest, Number.POSITIVE_INFINITY)];
    const tokens = tokensOf(messages);
    if (tokens <= limits.hard || rest.length <= 1) return { messages, tokens };
  }
}
