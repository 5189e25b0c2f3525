import fc from 'fast-check';
import { expect, it } from 'vitest';
import { jsonText } from '../domain/payload.ts';
import {
  assistantMessage,
  type GoalMessage,
  type LogEntry,
  readConversation,
  shorten,
  toolMessage,
} from './goal-messages.ts';
import { nextTurn } from './goal-turns.ts';
import { fittingView, unsummed, type View, viewOf } from './goal-view.ts';

const text = fc.string({ unit: fc.constantFrom('word ', '😀', '\0', '"', '\n'), maxLength: 400 });
/** Answers with their calls; results come in any order. A long text is what fills a prompt. */
const exchange = fc
  .record({
    said: text,
    results: fc.array(fc.tuple(text, fc.boolean()), { maxLength: 3 }),
    turned: fc.boolean(),
  })
  .map(({ said, results, turned }): GoalMessage[] => {
    const calls = results.map((_, place) => ({
      toolCallId: `c${place}`,
      toolName: 'file',
      input: { place },
    }));
    const told = results.map(([value, failed], place) =>
      toolMessage(calls[place] as (typeof calls)[number], { text: value, failed }),
    );
    return [assistantMessage(said || 'ok', calls, false), ...(turned ? told.toReversed() : told)];
  });
const nudge = fc.constant<GoalMessage[]>([
  { role: 'user', content: { kind: 'nudge', reason: 'repeating', text: 'Change.' } },
]);
/** A conversation, summed up somewhere or nowhere. */
const logs = fc
  .tuple(
    fc.array(fc.oneof({ weight: 5, arbitrary: exchange }, nudge), { maxLength: 20 }),
    fc.nat(),
    fc.boolean(),
  )
  .map(([parts, at, summed]): LogEntry[] => {
    const opening: GoalMessage = { role: 'user', content: 'the goal' };
    const messages = [opening, ...parts.flat()];
    const entries = messages.map((message, index) => ({ index, message }));
    if (!summed || parts.length < 3) return entries;
    const through = parts.slice(0, 1 + (at % (parts.length - 1))).flat().length;
    const summary: GoalMessage = { role: 'system', content: { kind: 'summary', through, text: 'SUM' } };
    return [...entries, { index: entries.length, message: summary }];
  });
const limits = fc.integer({ min: 300, max: 4_000 }).map((hard) => ({ hard, soft: Math.floor(hard * 0.6) }));

/** What providers refuse: a call without its result behind it, a result without its call, a conversation that no user begins. */
function expectSound({ messages }: View): void {
  expect(messages[0]).toEqual({ role: 'user', content: 'the goal' });
  let open: string[] = [];
  for (const { role, content } of messages) {
    if (role === 'tool') {
      for (const part of content) {
        if (part.type !== 'tool-result') continue;
        expect(open[0]).toBe(part.toolCallId);
        open = open.slice(1);
      }
      continue;
    }
    expect(open).toEqual([]);
    if (role !== 'assistant' || typeof content === 'string') continue;
    expect(content.length).toBeGreaterThan(0);
    open = content.flatMap((part) => (part.type === 'tool-call' ? [part.toolCallId] : []));
  }
  expect(open).toEqual([]);
}

it('what the model is shown is sound, however short it must be', () => {
  fc.assert(
    fc.property(logs, limits, (log, limit) => {
      const before = structuredClone(log);
      const view = viewOf(log, limit);
      expectSound(view);
      const fitting = fittingView(log, limit);
      expectSound(fitting);
      const least = unsummed(log).length <= 1;
      expect(fitting.tokens <= limit.hard || least || fitting.messages.length <= 6).toBe(true);
      // The log is only ever added to.
      expect(log).toEqual(before);
    }),
  );
});

it('is the same from rows as from memory, so that a successor asks the same', () => {
  fc.assert(
    fc.property(logs, limits, (log, limit) => {
      const rows = log.map(({ index, message }) => ({
        message_index: index,
        role: message.role,
        content: JSON.parse(jsonText(message.content)) as unknown,
      }));
      const read = readConversation(rows as never);
      expect(viewOf(read, limit)).toEqual(viewOf(log, limit));
      expect(fittingView(read, limit)).toEqual(fittingView(log, limit));
      expect(nextTurn(read)).toEqual(nextTurn(log));
    }),
  );
});

it('a text that is cut stays text', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('a', '😀'), maxLength: 60 }),
      fc.integer({ min: 2, max: 40 }),
      (whole, limit) => {
        const cut = shorten(whole, limit);
        expect(cut.isWellFormed()).toBe(true);
        if (whole.length <= limit) expect(cut).toBe(whole);
      },
    ),
  );
});
