import { ordered } from '../domain/payload.ts';
import type { Move } from '../domain/stuck.ts';
import type { AskedCall, LogEntry } from './goal-messages.ts';

/** A call with its place among those that one answer asked for. */
export interface PlacedCall {
  readonly call: AskedCall;
  readonly place: number;
}

/** What a conversation waits for: an answer of the model, results of calls, or nothing, with the final text. */
export type Turn =
  | { readonly turn: 'model' }
  | { readonly turn: 'tools'; readonly asked: number; readonly calls: readonly PlacedCall[] }
  | { readonly turn: 'done'; readonly text: string };

/** Where a message stands in the conversation; summaries do not count, so steps keep their names when one is added. */
export function placeAfter(log: readonly LogEntry[], end = log.length): number {
  let place = 0;
  for (const { message } of log.slice(0, end)) if (message.role !== 'system') place += 1;
  return place;
}

const callsOf = ({ message }: LogEntry): AskedCall[] =>
  message.role === 'assistant'
    ? message.content.flatMap((part) => (part.type === 'tool-call' ? [part] : []))
    : [];

const resultsOf = ({ message }: LogEntry) => (message.role === 'tool' ? message.content : []);

/** What comes next, as the rows say: a call that was answered is not made again, in whatever order they ended. */
export function nextTurn(log: readonly LogEntry[]): Turn {
  const at = log.findLastIndex(({ message }) => message.role === 'user' || message.role === 'assistant');
  const last = log[at];
  if (last?.message.role !== 'assistant') return { turn: 'model' };
  const calls = callsOf(last);
  if (calls.length > 0) {
    const answered = new Set(
      log.slice(at + 1).flatMap((entry) => resultsOf(entry).map((part) => part.toolCallId)),
    );
    const open = calls
      .map((call, place) => ({ call, place }))
      .filter(({ call }) => !answered.has(call.toolCallId));
    return open.length > 0 ? { turn: 'tools', asked: placeAfter(log, at), calls: open } : { turn: 'model' };
  }
  const text = last.message.content.map((part) => (part.type === 'text' ? part.text : '')).join('');
  const cut = last.message.content.some((part) => part.type === 'cut');
  return text.trim() === '' || cut ? { turn: 'model' } : { turn: 'done', text };
}

/** An answer of the model with the results of its calls, in the order of the calls. */
export interface Exchange {
  readonly answer: LogEntry;
  readonly results: readonly LogEntry[];
}

/** Brings the results of each answer into the order of its calls. Other messages stand alone. */
export function exchangesOf(log: readonly LogEntry[]): (LogEntry | Exchange)[] {
  const found: (LogEntry | Exchange)[] = [];
  for (const [at, entry] of log.entries()) {
    if (entry.message.role === 'tool') continue;
    if (entry.message.role !== 'assistant') {
      found.push(entry);
      continue;
    }
    const places = new Map(callsOf(entry).map((call, place) => [call.toolCallId, place]));
    const end = log.findIndex(
      ({ message }, place) => place > at && (message.role === 'assistant' || message.role === 'user'),
    );
    const results = log
      .slice(at + 1, end === -1 ? undefined : end)
      .filter(({ message }) => message.role === 'tool')
      .toSorted((a, b) => placeOf(a, places) - placeOf(b, places));
    found.push({ answer: entry, results });
  }
  return found;
}

const placeOf = (entry: LogEntry, places: ReadonlyMap<string, number>) =>
  places.get(resultsOf(entry)[0]?.toolCallId ?? '') ?? 0;

/** The moves of the agent in a part of the conversation. */
export function movesOf(log: readonly LogEntry[]): Move[] {
  return exchangesOf(log).flatMap((entry) => {
    if (!('answer' in entry)) return [];
    const asked = callsOf(entry.answer).map(
      ({ toolName, input }) => `${toolName} ${JSON.stringify(ordered(input))}`,
    );
    const told = entry.results.flatMap(resultsOf).map(({ output }) => output.value);
    return [{ asked: asked.join('\n'), told: told.join('\n') }];
  });
}
