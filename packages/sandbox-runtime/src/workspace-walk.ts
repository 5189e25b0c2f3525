import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { openConfined } from './confined-directory.ts';
import { errnoOf, RuntimeFault } from './faults.ts';
import { reservedPrefix } from './protocol.ts';

/** The largest time that a tar header can say. */
const latestTarTime = 8 ** 11 - 1;

export interface WalkedEntry {
  readonly parts: readonly string[];
  readonly type: 'file' | 'directory' | 'link';
  readonly size: number;
  /** Bytes on disk, less than `size` for a file with holes. */
  readonly allocated: number;
  readonly mode: number;
  readonly modifiedSeconds: number;
  /** Of a link, else empty. */
  readonly target: string;
}

/**
 * All files, folders and links below `root` in the order of their paths, parents first. Sockets, pipes, devices and
 * names that are no UTF-8 are passed over, as is what vanishes meanwhile.
 */
export async function* walkWorkspace(
  root: string,
  parts: readonly string[] = [],
): AsyncGenerator<WalkedEntry> {
  const children = await entriesOf(root, parts);
  for (const child of children) {
    yield child;
    if (child.type === 'directory') yield* walkWorkspace(root, child.parts);
  }
}

/** Bytes on disk below `root`. Hard links count each time: a program cannot make room by linking. */
export async function workspaceUsage(root: string): Promise<number> {
  let total = 0;
  for await (const entry of walkWorkspace(root)) total += entry.allocated;
  return total;
}

async function entriesOf(root: string, parts: readonly string[]): Promise<WalkedEntry[]> {
  const directory = await openConfined(root, parts, { create: false }).catch(unlessGone);
  if (directory === null) return [];
  try {
    const names = await readdir(directory.path).catch(unlessGone);
    const entries: WalkedEntry[] = [];
    for (const name of (names ?? []).sort()) {
      if (parts.length === 0 && name.startsWith(reservedPrefix)) continue;
      const entry = await describe(join(directory.path, name), [...parts, name]);
      if (entry) entries.push(entry);
    }
    return entries;
  } finally {
    await directory.close();
  }
}

async function describe(path: string, parts: readonly string[]): Promise<WalkedEntry | null> {
  const found = await lstat(path).catch(unlessGone);
  if (found === null) return null;
  const modifiedSeconds = Math.min(Math.max(Math.floor(found.mtimeMs / 1000), 0), latestTarTime);
  const common = { parts, mode: found.mode & 0o777, modifiedSeconds };
  const allocated = found.blocks * 512;
  if (found.isFile()) return { ...common, type: 'file', size: found.size, allocated, target: '' };
  if (found.isDirectory()) return { ...common, type: 'directory', size: 0, allocated, target: '' };
  if (!found.isSymbolicLink()) return null;
  const target = await readlink(path).catch(unlessGone);
  return target === null ? null : { ...common, type: 'link', size: 0, allocated, target };
}

const goneCodes = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'EINVAL', 'EACCES', 'EPERM']);

function unlessGone(error: unknown): null {
  const code = errnoOf(error);
  if (error instanceof RuntimeFault || (code !== undefined && goneCodes.has(code))) return null;
  throw error;
}
