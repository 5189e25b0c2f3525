import { randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SealBroken, sealStream, unsealStream } from './sealed-stream.ts';

const key = randomBytes(32);
const pieces = fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 8 });

async function* stream(...chunks: Uint8Array[]) {
  yield* chunks;
}
const seal = (chunks: Uint8Array[], nonce = 'n') => buffer(sealStream(stream(...chunks), key, nonce));
const unseal = (sealed: Uint8Array[], nonce = 'n') => buffer(unsealStream(stream(...sealed), key, nonce));
const cut = (bytes: Buffer, size: number) =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
    bytes.subarray(at * size, (at + 1) * size),
  );

describe('a sealed stream', () => {
  it('gives back its content however the network cuts it', async () => {
    await fc.assert(
      fc.asyncProperty(pieces, fc.integer({ min: 1, max: 300 }), async (chunks, size) => {
        const sealed = await seal(chunks);
        expect((await unseal(cut(sealed, size))).equals(Buffer.concat(chunks))).toBe(true);
      }),
    );
  });

  it('carries pieces larger than a frame', async () => {
    const large = randomBytes(700_001);
    expect((await unseal([await seal([large])])).equals(large)).toBe(true);
  });

  it('is refused when any byte of it is changed', async () => {
    await fc.assert(
      fc.asyncProperty(pieces, fc.nat(), fc.integer({ min: 1, max: 255 }), async (chunks, where, flip) => {
        const sealed = await seal(chunks);
        const at = where % sealed.length;
        sealed[at] = (sealed[at] ?? 0) ^ flip;
        await expect(unseal([sealed])).rejects.toBeInstanceOf(SealBroken);
      }),
    );
  });

  it('is refused when it is cut anywhere or goes on', async () => {
    const sealed = await seal([Buffer.from('one'), Buffer.from('two')]);
    for (let length = 0; length < sealed.length; length += 1) {
      await expect(unseal([sealed.subarray(0, length)])).rejects.toBeInstanceOf(SealBroken);
    }
    await expect(unseal([sealed, Buffer.from('x')])).rejects.toBeInstanceOf(SealBroken);
  });

  it('is refused when frames are swapped, repeated, or belong to another request', async () => {
    const sealed = await seal([Buffer.from('one'), Buffer.from('two')]);
    const frame = 4 + 3 + 32;
    const [one, two, end] = [
      sealed.subarray(0, frame),
      sealed.subarray(frame, 2 * frame),
      sealed.subarray(2 * frame),
    ];
    await expect(unseal([two, one, end])).rejects.toBeInstanceOf(SealBroken);
    await expect(unseal([one, one, end])).rejects.toBeInstanceOf(SealBroken);
    await expect(unseal([one, end])).rejects.toBeInstanceOf(SealBroken);
    await expect(unseal([sealed], 'm')).rejects.toBeInstanceOf(SealBroken);
  });
});
