import fc from 'fast-check';
import { expect, it } from 'vitest';
import { readLines } from './read-lines.ts';

async function* chunked(bytes: Buffer, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
const read = (text: string, from = 1, count = 100, maxCharacters = 1_000, size = 7) =>
  readLines(chunked(Buffer.from(text), size), { from, count, maxCharacters });

it('reads a window and says where to go on', async () => {
  const text = 'one\ntwo\nthree\nfour';
  expect(await read(text, 2, 2)).toEqual({ content: 'two\nthree\n', lines: 2, nextLine: 4 });
  expect(await read(text, 4, 2)).toEqual({ content: 'four', lines: 1, nextLine: null });
  expect(await read(text, 9, 2)).toEqual({ content: '', lines: 0, nextLine: null });
  expect(await read(text, 1, 9, 8)).toEqual({ content: 'one\ntwo\n', lines: 2, nextLine: 3 });
  expect(await read(`${'x'.repeat(50)}\ny`, 1, 9, 10)).toEqual({
    content: `${'x'.repeat(10)}\n`,
    lines: 1,
    nextLine: 2,
  });
  expect(await read('')).toEqual({ content: '', lines: 0, nextLine: null });
});

it('gives the whole text when one goes on to its end, however it comes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom('a', '\n', 'é', '😀', 'long '.repeat(5)), { maxLength: 60 }),
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 5 }),
      async (parts, size, count) => {
        const text = parts.join('');
        let whole = '';
        for (let from: number | null = 1; from !== null; ) {
          const part = await read(text, from, count, 1_000, size);
          whole += part.content;
          expect(part.lines).toBeLessThanOrEqual(count);
          from = part.nextLine;
        }
        expect(whole).toBe(text);
      },
    ),
  );
});
