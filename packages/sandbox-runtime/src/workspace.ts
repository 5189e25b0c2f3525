import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, type FileHandle, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type ConfinedDirectory, openConfined } from './confined-directory.ts';
import { errnoOf, RuntimeFault } from './faults.ts';
import { reservedPrefix, type WorkspaceEntry } from './protocol.ts';
import { removeTrees } from './remove-trees.ts';
import { parseWorkspacePath } from './workspace-path.ts';
import { walkWorkspace } from './workspace-walk.ts';

const readChunkBytes = 256 * 1024;
const maxListed = 10_000;

/**
 * Writes a file whole or not at all: first beside its place, then renamed over it. Missing folders are made.
 * @throws RuntimeFault `path_refused`, `workspace_full` when `source` is longer than `room` bytes
 */
export async function writeWorkspaceFile(
  root: string,
  path: string,
  source: AsyncIterable<Uint8Array>,
  room: number,
): Promise<{ readonly size: number }> {
  const parts = parseWorkspacePath(path);
  return inDirectory(root, parts.slice(0, -1), { create: true }, async (directory) => {
    // Not in the folder itself, where a listing would show it, but on the same file system.
    const draft = join(root, `${reservedPrefix}upload-${randomUUID()}`);
    try {
      const size = await writeDraft(draft, source, room);
      await rename(draft, join(directory.path, parts.at(-1) ?? '')).catch((error: unknown) => {
        throw errnoOf(error) === 'EISDIR' ? refused('there is a folder of that name') : error;
      });
      return { size };
    } finally {
      await rm(draft, { force: true });
    }
  });
}

/** The bytes of a regular file. @throws RuntimeFault `file_missing`, `path_refused` */
export async function readWorkspaceFile(root: string, path: string): Promise<AsyncIterable<Uint8Array>> {
  const parts = parseWorkspacePath(path);
  const handle = await inDirectory(root, parts.slice(0, -1), { create: false }, (directory) =>
    openRegularFile(join(directory.path, parts.at(-1) ?? '')),
  );
  return handle.createReadStream({ highWaterMark: readChunkBytes });
}

/** Removes a file, a link or a folder with all it holds; harmless when there is none. */
export async function deleteWorkspaceFile(root: string, path: string): Promise<void> {
  const parts = parseWorkspacePath(path);
  const removed = inDirectory(root, parts.slice(0, -1), { create: false, change: true }, (directory) =>
    removeTrees(root, [join(directory.path, parts.at(-1) ?? '')]),
  );
  await removed.catch((error: unknown) => {
    if (!(error instanceof RuntimeFault && error.code === 'file_missing')) throw error;
  });
}

/** At most 10,000 entries in the order of their paths. */
export async function listWorkspace(
  root: string,
): Promise<{ readonly entries: WorkspaceEntry[]; readonly truncated: boolean }> {
  const entries: WorkspaceEntry[] = [];
  for await (const { parts, type, size } of walkWorkspace(root)) {
    if (entries.length === maxListed) return { entries, truncated: true };
    entries.push({ path: parts.join('/'), type, size });
  }
  return { entries, truncated: false };
}

/** Whether `path` names a regular file that a program can be started from; links are not followed. */
export async function isWorkspaceFile(root: string, path: string): Promise<boolean> {
  const parts = parseWorkspacePath(path);
  try {
    const handle = await inDirectory(root, parts.slice(0, -1), { create: false }, (directory) =>
      openRegularFile(join(directory.path, parts.at(-1) ?? '')),
    );
    await handle.close();
    return true;
  } catch (error) {
    if (error instanceof RuntimeFault) return false;
    throw error;
  }
}

/** Opens a regular file without following a link and without waiting on a pipe. One that is closed is opened up. */
export async function openRegularFile(path: string | Buffer): Promise<FileHandle> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const openUp = async (error: unknown) => {
    if (errnoOf(error) !== 'EACCES') throw error;
    await chmod(path, 0o600);
    return open(path, flags);
  };
  const handle = await open(path, flags)
    .catch(openUp)
    .catch((error: unknown) => {
      const code = errnoOf(error);
      if (code === 'ENOENT') throw new RuntimeFault(404, 'file_missing', 'there is no such file');
      if (code === 'ELOOP' || code === 'ENXIO') throw refused('it is not a regular file');
      if (code === 'EACCES' || code === 'EPERM') throw refused('the file cannot be read');
      throw error;
    });
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw refused('it is not a regular file');
}

async function writeDraft(draft: string, source: AsyncIterable<Uint8Array>, room: number): Promise<number> {
  const handle = await open(draft, 'wx', 0o644);
  let size = 0;
  try {
    for await (const chunk of source) {
      size += chunk.length;
      if (size > room)
        throw new RuntimeFault(413, 'workspace_full', 'the workspace has no room for this file');
      await handle.writeFile(chunk);
    }
    return size;
  } finally {
    await handle.close();
  }
}

async function inDirectory<T>(
  root: string,
  parts: readonly string[],
  options: { readonly create: boolean; readonly change?: boolean },
  work: (directory: ConfinedDirectory) => Promise<T>,
): Promise<T> {
  const directory = await openConfined(root, parts, options);
  try {
    return await work(directory);
  } finally {
    await directory.close();
  }
}

function refused(why: string): RuntimeFault {
  return new RuntimeFault(400, 'path_refused', `the path is refused: ${why}`);
}
