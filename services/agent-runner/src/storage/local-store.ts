import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '@swissbrain/service-kit/clock';
import { measureContent, verifyContent } from './content.ts';
import { objectKey, ownerPrefix, readKey, sha256OfKey } from './object-key.ts';
import { type ByteRange, type ObjectPage, type ObjectStore, ObjectStoreError } from './object-store.ts';

const chunkBytes = 256 * 1024;
const pageObjects = 1_000;

/**
 * An object store in a folder of this machine. Content is written aside, flushed to disk and renamed into its place,
 * so an object is there whole or not at all, also when the same content is stored twice at once.
 * @param directory absolute path; made when missing
 */
export function createLocalStore(directory: string, clock: Clock): ObjectStore {
  const draftsOf = (owner: string) => join(directory, 'drafts', ownerPrefix(owner));
  const pathOf = (key: string) => {
    sha256OfKey(key);
    return join(directory, key);
  };

  return {
    async put(owner, content, options = {}) {
      const drafts = draftsOf(owner);
      await mkdir(drafts, { recursive: true, mode: 0o700 });
      const draft = join(drafts, randomUUID());
      try {
        const { chunks, result } = measureContent(content, options);
        await writeDraft(draft, chunks);
        const { sha256, size } = result();
        const key = objectKey(owner, clock.now(), sha256);
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
      if (!range) return verifyContent(readChunks(handle), sha256OfKey(key));
      const { size } = await handle.stat();
      const { start, end } = range;
      const last = Math.min(end ?? size - 1, size - 1);
      if (Number.isSafeInteger(start) && start >= 0 && start <= last)
        return readChunks(handle, { start, end: last });
      await handle.close();
      throw new ObjectStoreError('range_not_satisfiable', `the object has ${size} bytes`);
    },
    async head(key) {
      const found = await unlessMissing(stat(pathOf(key)));
      return found && { size: found.size };
    },
    async delete(key) {
      await rm(pathOf(key), { force: true });
    },
    list: (after) => listPage(directory, after),
    async removeDrafts(before) {
      const folder = join(directory, 'drafts');
      const files = await filesUnder(folder);
      let removed = 0;
      for (const path of files) {
        const found = await unlessMissing(stat(path));
        if (!found || found.mtime >= before) continue;
        await rm(path, { force: true });
        removed += 1;
      }
      return removed;
    },
    async removeOwner(owner) {
      const folder = join(directory, ownerPrefix(owner));
      const { length } = await filesUnder(folder);
      await rm(draftsOf(owner), { recursive: true, force: true });
      await rm(folder, { recursive: true, force: true });
      return length;
    },
    // The service serves them itself.
    link: async () => null,
  };
}

/** Folders and files have names of fixed lengths, so the order of folder by folder is the order of the keys. */
async function listPage(directory: string, after = ''): Promise<ObjectPage> {
  const objects: { key: string; size: number }[] = [];
  const namesAfter = async (folder: string, from: string) => {
    const names = (await unlessMissing(readdir(join(directory, folder)))) ?? [];
    return names.filter((name) => join(folder, name) >= from.slice(0, join(folder, name).length)).toSorted();
  };
  for (const owner of await namesAfter('', after)) {
    if (owner === 'drafts') continue;
    for (const day of await namesAfter(owner, after)) {
      for (const name of await namesAfter(join(owner, day), after)) {
        const key = `${owner}/${day}/${name}`;
        if (key <= after || !readKey(key)) continue;
        if (objects.length === pageObjects) return { objects, next: objects.at(-1)?.key ?? null };
        const found = await unlessMissing(stat(join(directory, key)));
        if (found) objects.push({ key, size: found.size });
      }
    }
  }
  return { objects, next: null };
}

async function writeDraft(draft: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const handle = await open(draft, 'wx', 0o600);
  try {
    for await (const chunk of chunks) await handle.writeFile(chunk);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function readChunks(handle: FileHandle, range: ByteRange = { start: 0 }): AsyncIterable<Uint8Array> {
  return handle.createReadStream({ ...range, highWaterMark: chunkBytes });
}

async function openObject(path: string): Promise<FileHandle> {
  const handle = await unlessMissing(open(path, 'r'));
  if (!handle) throw new ObjectStoreError('object_missing', 'there is no such object');
  return handle;
}

async function filesUnder(folder: string): Promise<string[]> {
  const entries = await unlessMissing(readdir(folder, { recursive: true, withFileTypes: true }));
  return (entries ?? []).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
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

async function unlessMissing<T>(found: Promise<T>): Promise<T | null> {
  try {
    return await found;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}
