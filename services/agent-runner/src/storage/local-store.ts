import { createHash, randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  type ByteRange,
  type ObjectStore,
  ObjectStoreError,
  objectKey,
  type PutOptions,
  sha256OfKey,
} from './object-store.ts';

const chunkBytes = 256 * 1024;

/**
 * An object store in a folder of this machine. Content is written aside, flushed to disk and renamed into its place,
 * so an object is there whole or not at all, also when the same content is stored twice at once.
 * @param directory absolute path; made when missing
 */
export function createLocalStore(directory: string): ObjectStore {
  const drafts = join(directory, 'drafts');
  const pathOf = (key: string) => {
    sha256OfKey(key);
    return join(directory, key);
  };

  return {
    async put(content, options = {}) {
      await mkdir(drafts, { recursive: true, mode: 0o700 });
      const draft = join(drafts, randomUUID());
      try {
        const { sha256, size } = await writeDraft(draft, chunksOf(content), options);
        const key = objectKey(sha256);
        const target = pathOf(key);
        await mkdir(dirname(target), { recursive: true, mode: 0o700 });
        // Also over an object of that name: the content is the same, and a damaged one is healed.
        await rename(draft, target);
        await flushDirectory(dirname(target));
        return { sha256, size, key };
      } finally {
        await rm(draft, { force: true });
      }
    },
    async get(key, range) {
      const handle = await openObject(pathOf(key));
      if (!range) return readWhole(handle, sha256OfKey(key));
      const { size } = await handle.stat();
      const { start, end } = range;
      const last = Math.min(end ?? size - 1, size - 1);
      if (Number.isSafeInteger(start) && start >= 0 && start <= last)
        return readRange(handle, { start, end: last });
      await handle.close();
      throw new ObjectStoreError('range_not_satisfiable', `the object has ${size} bytes`);
    },
    async head(key) {
      try {
        return { size: (await stat(pathOf(key))).size };
      } catch (error) {
        if (isMissing(error)) return null;
        throw error;
      }
    },
    async delete(key) {
      await rm(pathOf(key), { force: true });
    },
  };
}

async function writeDraft(
  draft: string,
  content: AsyncIterable<Uint8Array>,
  { expectedSha256, maxBytes = Number.POSITIVE_INFINITY }: PutOptions,
): Promise<{ readonly sha256: string; readonly size: number }> {
  const hash = createHash('sha256');
  let size = 0;
  const handle = await open(draft, 'wx', 0o600);
  try {
    for await (const chunk of content) {
      size += chunk.length;
      if (size > maxBytes) throw new ObjectStoreError('object_too_large', `more than ${maxBytes} bytes`);
      hash.update(chunk);
      await handle.writeFile(chunk);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  const sha256 = hash.digest('hex');
  if (expectedSha256 === undefined || expectedSha256 === sha256) return { sha256, size };
  throw new ObjectStoreError('hash_mismatch', 'the content does not have the SHA-256 that was given');
}

async function* readWhole(handle: FileHandle, sha256: string): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  for await (const chunk of handle.createReadStream({ highWaterMark: chunkBytes })) {
    hash.update(chunk);
    yield chunk;
  }
  if (hash.digest('hex') !== sha256)
    throw new ObjectStoreError('object_corrupt', `object ${sha256} is damaged`);
}

function readRange(handle: FileHandle, range: Required<ByteRange>): AsyncIterable<Uint8Array> {
  return handle.createReadStream({ ...range, highWaterMark: chunkBytes });
}

async function openObject(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (isMissing(error)) throw new ObjectStoreError('object_missing', 'there is no such object');
    throw error;
  }
}

/** A rename survives a crash of the machine once its folder is flushed too. */
async function flushDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function* chunksOf(content: Uint8Array | AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (content instanceof Uint8Array) yield content;
  else yield* content;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
