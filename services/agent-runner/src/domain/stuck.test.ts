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

  const moves = fc.array(
    fc.record({ asked: fc.constantFrom('a', 'b', 'c'), told: fc.constantFrom('1', '2') }),
    {
      maxLength: 12,
    },
  );

  it('by its last six moves alone, whatever was before', () => {
    fc.assert(
      fc.property(moves, moves, (before, last) => {
        fc.pre(last.length >= 6);
        expect(stuckReason([...before, ...last])).toBe(stuckReason(last.slice(-6)));
      }),
    );
  });

  it('however long its calls took, and not when anything else differs', () => {
    const timed = (ms: number, rest = '') => move('a', `{"stdout":"x${rest}","duration_ms":${ms}}`);
    expect(stuckReason([timed(1), timed(22), timed(333)])).toBe('repeating');
    expect(stuckReason([timed(1), timed(2), timed(3, 'y')])).toBeNull();
    fc.assert(
      fc.property(moves, (given) => {
        const reason = stuckReason(given);
        const last = given.at(-1);
        const tail = given.slice(-3);
        const repeats =
          tail.length === 3 && tail.every((each) => each.asked === last?.asked && each.told === last?.told);
        expect(reason === 'repeating').toBe(repeats);
      }),
    );
  });

  it('never while each move differs from all before it', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ minLength: 1 })), (asked) => {
        expect(stuckReason(asked.map((each) => move(each)))).toBeNull();
      }),
    );
  });
});
