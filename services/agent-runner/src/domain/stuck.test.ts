import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Move, stuckReason } from './stuck.ts';

const move = (asked: string, told = 'ok'): Move => ({ asked, told });
const of = (text: string) => [...text].map((letter) => move(letter));

describe('an agent is stuck', () => {
  it('when it repeats itself, goes back and forth, or talks to itself', () => {
    expect(stuckReason(of('abccc'))).toBe('repeating');
    expect(stuckReason(of('xababab'))).toBe('alternating');
    expect(stuckReason([...of('ab'), move('')])).toBe('monologue');
  });

  it('and not when a call has another result, comes with another, or has come only twice', () => {
    expect(stuckReason([move('a', '1'), move('a', '2'), move('a', '3')])).toBeNull();
    expect(stuckReason(of('aa'))).toBeNull();
    expect(stuckReason(of('ababa'))).toBeNull();
    expect(stuckReason(of('abcabc'))).toBeNull();
    expect(stuckReason([])).toBeNull();
  });

  it('never while each move differs from all before it', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ minLength: 1 })), (asked) => {
        expect(stuckReason(asked.map((each) => move(each)))).toBeNull();
      }),
    );
  });
});
