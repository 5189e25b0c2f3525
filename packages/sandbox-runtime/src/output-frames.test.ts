import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeFrames,
  decodeOutputAnswer,
  encodeFrame,
  encodeOutputAnswer,
  wholeFrames,
} from './output-frames.ts';

const frames = fc.array(
  fc.record({
    stream: fc.constantFrom('stdout' as const, 'stderr' as const),
    data: fc.uint8Array({ minLength: 1, maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  }),
  { maxLength: 12 },
);

describe('output frames', () => {
  it('give back streams, bytes and offsets', () => {
    fc.assert(
      fc.property(frames, fc.nat(1_000_000), (given, offset) => {
        const bytes = Buffer.concat(given.map(({ stream, data }) => encodeFrame(stream, data)));
        const decoded = decodeFrames(bytes, offset);
        expect(decoded.map(({ stream, data }) => ({ stream, data }))).toEqual(given);
        if (given.length > 0) expect(decoded.at(-1)?.nextOffset).toBe(offset + bytes.length);
      }),
    );
  });

  it('are found whole in any piece of a log that starts at one', () => {
    fc.assert(
      fc.property(frames, fc.nat(), (given, cut) => {
        const bytes = Buffer.concat(given.map(({ stream, data }) => encodeFrame(stream, data)));
        const piece = bytes.subarray(0, bytes.length === 0 ? 0 : cut % (bytes.length + 1));
        const whole = wholeFrames(piece) ?? -1;
        expect(decodeFrames(piece.subarray(0, whole), 0).length).toBeLessThanOrEqual(given.length);
        expect(piece.length - whole).toBeLessThan(306);
      }),
    );
  });

  it('are not made out of other bytes', () => {
    expect(wholeFrames(Buffer.from('hello world'))).toBeNull();
    expect(() => decodeFrames(encodeFrame('stdout', Buffer.from('x')).subarray(0, 3), 0)).toThrow(RangeError);
  });

  it('travel behind a head', () => {
    const body = encodeOutputAnswer(
      { next_offset: 6, finished: null },
      encodeFrame('stderr', Buffer.from('x')),
    );
    const { head, frames: bytes } = decodeOutputAnswer(body);
    expect(head).toEqual({ next_offset: 6, finished: null });
    expect(decodeFrames(bytes, 0)).toMatchObject([{ stream: 'stderr', nextOffset: 6 }]);
    expect(() => decodeOutputAnswer(body.subarray(0, 10))).toThrow(RangeError);
  });
});
