import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLocalStore } from './local-store.ts';
import { type ObjectStore, objectKey } from './object-store.ts';

let directory: string;
let store: ObjectStore;
const content = randomBytes(600_000);
const sha256 = createHash('sha256').update(content).digest('hex');
const read = async (key: string) => buffer(await store.get(key));

async function* pieces(bytes: Buffer, size = 70_000) {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'swissbrain-store-'));
  store = createLocalStore(directory);
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe('the local object store', () => {
  it('gives back what was stored, from bytes and from a stream, under the same key', async () => {
    const stored = await store.put(content);
    expect(stored).toEqual({ sha256, size: content.length, key: objectKey(sha256) });
    expect(await store.put(pieces(content))).toEqual(stored);
    expect((await read(stored.key)).equals(content)).toBe(true);
    expect(await store.head(stored.key)).toEqual({ size: content.length });
  });

  it('stores the same content twenty times at once as one object and leaves no drafts', async () => {
    const stored = await Promise.all(Array.from({ length: 20 }, () => store.put(pieces(content))));
    expect(new Set(stored.map((one) => one.key)).size).toBe(1);
    expect((await read(objectKey(sha256))).equals(content)).toBe(true);
    expect(await readdir(join(directory, 'drafts'))).toEqual([]);
    expect(await readdir(join(directory, 'sha256', sha256.slice(0, 2)))).toEqual([sha256]);
  });

  it('stores empty content', async () => {
    const { key, size } = await store.put(new Uint8Array(0));
    expect(size).toBe(0);
    expect((await read(key)).length).toBe(0);
  });

  it('reads ranges and refuses those outside', async () => {
    const { key } = await store.put(content);
    const part = async (start: number, end?: number) => buffer(await store.get(key, { start, end }));
    expect((await part(10, 19)).equals(content.subarray(10, 20))).toBe(true);
    expect((await part(599_990)).equals(content.subarray(599_990))).toBe(true);
    expect((await part(599_999, 10_000_000)).length).toBe(1);
    for (const [start, end] of [[600_000], [-1], [5, 4], [0.5]] as const) {
      await expect(store.get(key, { start, end })).rejects.toMatchObject({ code: 'range_not_satisfiable' });
    }
  });

  it('refuses content with another hash or too much of it, and keeps nothing', async () => {
    const other = '0'.repeat(64);
    await expect(store.put(content, { expectedSha256: other })).rejects.toMatchObject({
      code: 'hash_mismatch',
    });
    await expect(store.put(pieces(content), { maxBytes: 599_999 })).rejects.toMatchObject({
      code: 'object_too_large',
    });
    expect(await store.head(objectKey(sha256))).toBeNull();
    expect(await readdir(join(directory, 'drafts'))).toEqual([]);
  });

  it('keeps nothing of a source that fails half-way', async () => {
    async function* failing() {
      yield content.subarray(0, 1_000);
      throw new Error('the source broke');
    }
    await expect(store.put(failing())).rejects.toThrow('the source broke');
    expect(await readdir(join(directory, 'drafts'))).toEqual([]);
  });

  it('notices damage while reading and is healed by storing again', async () => {
    const { key } = await store.put(content);
    await writeFile(join(directory, key), Buffer.concat([content.subarray(1), Buffer.from('x')]));
    await expect(read(key)).rejects.toMatchObject({ code: 'object_corrupt' });
    await store.put(content);
    expect((await read(key)).equals(content)).toBe(true);
  });

  it('says what is missing and deletes without complaint', async () => {
    const { key } = await store.put(content);
    await store.delete(key);
    await store.delete(key);
    await expect(store.get(key)).rejects.toMatchObject({ code: 'object_missing' });
  });

  it.each([
    '../../etc/passwd',
    '/etc/passwd',
    `sha256/00/${'1'.repeat(64)}`,
    `sha256/${sha256.slice(0, 2)}/${sha256.toUpperCase()}`,
    '',
  ])('refuses the key %s', async (key) => {
    await expect(store.get(key)).rejects.toMatchObject({ code: 'invalid_key' });
    await expect(store.head(key)).rejects.toMatchObject({ code: 'invalid_key' });
    await expect(store.delete(key)).rejects.toMatchObject({ code: 'invalid_key' });
  });
});
