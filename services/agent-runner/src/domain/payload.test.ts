import { describe, expect, it } from 'vitest';
import { canonicalJson, jsonText } from './payload.ts';

describe('jsonText', () => {
  it('replaces what Postgres cannot store, and nothing else', () => {
    expect(jsonText({ a: 'x\0y', b: '\ud83d', c: '😀', d: '\\u0000' })).toBe(
      '{"a":"x\ufffdy","b":"\ufffd","c":"😀","d":"\\\\u0000"}',
    );
    expect(jsonText(undefined)).toBe('null');
  });
});

describe('canonicalJson', () => {
  it('is the same for values that differ in the order of their keys alone', () => {
    expect(canonicalJson({ b: [{ d: 1, c: 2 }], a: null })).toBe('{"a":null,"b":[{"c":2,"d":1}]}');
    expect(canonicalJson([1, 2])).not.toBe(canonicalJson([2, 1]));
  });
});
