import { defineEvent } from '@swissbrain/shared-schema/events/envelope';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { schemaOf } from './json-schema.ts';
import { breaksAgainst, retired } from './published.ts';

const eventOf = (data: z.ZodType, overrides: { source?: 'credits'; version?: number } = {}) =>
  defineEvent({
    type: 'run.tested',
    version: overrides.version ?? 1,
    source: overrides.source ?? 'agent-runner',
    aggregate: 'run',
    data,
  });
const compare = (before: z.ZodType, after: z.ZodType) =>
  breaksAgainst(new Map([['run.tested.v1', schemaOf(eventOf(before))]]), [eventOf(after)]);
const inData = (part: z.ZodType) => z.object({ part });

const nested = z.object({ list: z.array(z.object({ id: z.uuid(), name: z.string() })) });
const tree = (leaf: z.ZodType) => {
  const node: z.ZodType = z.object({ leaf, children: z.lazy(() => z.array(node)) });
  return node;
};

describe('a break of a published version', () => {
  test.each<[string, z.ZodType, z.ZodType, string]>([
    [
      'a removed property',
      z.object({ a: z.string(), b: z.string() }),
      z.object({ a: z.string() }),
      'b: removed',
    ],
    ['a renamed one', z.object({ a: z.string() }), z.object({ b: z.string() }), 'a: removed or renamed'],
    ['a removed optional one', z.object({ a: z.string().optional() }), z.object({}), 'a: removed'],
    ['a new required property', z.object({}), z.object({ a: z.string() }), 'a: new and required'],
    [
      'one that became required',
      z.object({ a: z.string().optional() }),
      z.object({ a: z.string() }),
      'a: became required',
    ],
    ['another type', inData(z.string()), inData(z.number()), 'part: type narrowed'],
    ['integers only', inData(z.number()), inData(z.number().int()), 'part: type narrowed'],
    ['null refused', inData(z.string().nullable()), inData(z.string()), 'part: type narrowed: null'],
    ['fewer values', inData(z.enum(['a', 'b'])), inData(z.enum(['a'])), 'part: enum narrowed: b'],
    [
      'a list of values',
      inData(z.string()),
      inData(z.enum(['a'])),
      'part: enum narrowed: only these are accepted now: a',
    ],
    ['a format', inData(z.string()), inData(z.iso.datetime()), 'part: format narrowed'],
    [
      'another format',
      inData(z.iso.datetime()),
      inData(z.iso.date()),
      'part: format narrowed: date-time became date',
    ],
    ['a pattern', inData(z.string()), inData(z.string().regex(/^a/)), 'part: pattern narrowed'],
    [
      'another pattern',
      inData(z.string().regex(/^a/)),
      inData(z.string().regex(/^b/)),
      'part: pattern narrowed',
    ],
    [
      'a higher minimum',
      inData(z.number().min(1)),
      inData(z.number().min(2)),
      'bound narrowed: minimum 1 became 2',
    ],
    [
      'an exclusive one',
      inData(z.number().min(0)),
      inData(z.number().positive()),
      'minimum 0 became 0 (exclusive)',
    ],
    [
      'a lower maximum',
      inData(z.number()),
      inData(z.number().max(9)),
      'bound narrowed: maximum Infinity became 9',
    ],
    [
      'longer texts only',
      inData(z.string()),
      inData(z.string().min(1)),
      'bound narrowed: minLength 0 became 1',
    ],
    [
      'shorter lists only',
      inData(z.array(z.string())),
      inData(z.array(z.string()).max(3)),
      'maxItems Infinity became 3',
    ],
    ['a step', inData(z.number()), inData(z.number().multipleOf(5)), 'part: multipleOf narrowed'],
    [
      'a break of items',
      nested,
      z.object({ list: z.array(z.object({ id: z.uuid() })) }),
      'list[].name: removed',
    ],
    [
      'a break of a record',
      inData(z.record(z.string(), z.string())),
      inData(z.record(z.string(), z.boolean())),
      'part{}: type narrowed',
    ],
    [
      'a removed kind of object',
      inData(z.union([z.object({ kind: z.literal('a') }), z.object({ kind: z.literal('b') })])),
      inData(z.object({ kind: z.literal('a') })),
      'part.kind: enum narrowed: b',
    ],
    [
      'a break inside what refers to itself',
      tree(z.string()),
      tree(z.string().max(3)),
      'leaf: bound narrowed',
    ],
    ['anything made something', inData(z.unknown()), inData(z.string()), 'part: type narrowed'],
  ])('%s', (_name, before, after, problem) => {
    const breaks = compare(before, after);
    expect(breaks.join('\n')).toContain(problem);
    for (const line of breaks) expect(line).toMatch(/^run\.tested version 1: /);
  });

  test('another source', () => {
    const published = new Map([['run.tested.v1', schemaOf(eventOf(z.object({})))]]);
    expect(breaksAgainst(published, [eventOf(z.object({}), { source: 'credits' })])).toEqual([
      'run.tested version 1: x-source: changed from agent-runner to credits',
    ]);
  });

  test('a version that is not defined any more is named', () => {
    const published = new Map([['run.tested.v1', schemaOf(eventOf(z.object({})))]]);
    expect(retired(published, [])).toEqual(['run.tested.v1']);
  });
});

describe('an addition', () => {
  test.each<[string, z.ZodType, z.ZodType]>([
    ['nothing', nested, nested],
    ['an optional property', z.object({}), z.object({ a: z.string().optional() })],
    [
      'an optional property of items',
      nested,
      z.object({ list: z.array(z.object({ id: z.uuid(), name: z.string(), note: z.string().optional() })) }),
    ],
    [
      'a property that may be absent now',
      z.object({ a: z.string() }),
      z.object({ a: z.string().optional() }),
    ],
    ['null accepted', inData(z.string()), inData(z.string().nullable())],
    ['another type beside', inData(z.string()), inData(z.union([z.string(), z.number()]))],
    ['numbers for integers', inData(z.number().int()), inData(z.number())],
    ['another value', inData(z.enum(['a'])), inData(z.enum(['b', 'a']))],
    ['any text for values', inData(z.enum(['a'])), inData(z.string())],
    ['no format', inData(z.uuid()), inData(z.string())],
    ['a lower minimum', inData(z.number().positive()), inData(z.number().min(0))],
    ['longer texts', inData(z.string().max(3)), inData(z.string().max(4))],
    [
      'another kind of object',
      inData(z.object({ kind: z.literal('a') })),
      inData(z.union([z.object({ kind: z.literal('b') }), z.object({ kind: z.literal('a') })])),
    ],
    ['anything', inData(z.json()), inData(z.unknown())],
    ['any JSON again', inData(z.json()), inData(z.json())],
    ['more inside what refers to itself', tree(z.string().max(3)), tree(z.string())],
    ['a description', inData(z.string()), inData(z.string().describe('a text'))],
  ])('%s', (_name, before, after) => {
    expect(compare(before, after)).toEqual([]);
  });

  test('a new version may differ in everything', () => {
    const published = new Map([['run.tested.v1', schemaOf(eventOf(z.object({ a: z.string() })))]]);
    const both = [eventOf(z.object({ a: z.string() })), eventOf(z.object({ b: z.number() }), { version: 2 })];
    expect(breaksAgainst(published, both)).toEqual([]);
    expect(retired(published, both)).toEqual([]);
  });
});
