import { lstat, readdir, readlink } from 'node:fs/promises';
import { joinName, pathOfHandle } from './confined-directory.ts';
import { errnoOf, RuntimeFault } from './faults.ts';
import { openFolder } from './folder-handle.ts';
import { reservedPrefix } from './protocol.ts';
import { maxPathBytes } from './workspace-path.ts';

/** The largest time that a tar header can say. */
const latestTarTime = 8 ** 11 - 1;
/** Folders that are held open at a time while all are walked through: no more than a nesting that is no mistake. */
const maxOpenFolders = 1_000;
/** To look into a folder. */
const readable = 0o500;

export interface WalkedEntry {
  /** Reaches it as long as the walk stands here, whatever is renamed meanwhile above it. */
  readonly path: Buffer;
  readonly parts: readonly string[];
  readonly type: 'file' | 'directory' | 'link';
  readonly size: number;
  readonly mode: number;
  readonly modifiedSeconds: number;
  /** Of a link, else empty. */
  readonly target: string;
}

interface Frame {
  readonly path: string;
  readonly names: Buffer[];
  close(): Promise<void>;
}

/**
 * All files, folders and links below `root` in the order of their paths, parents first. Sockets, pipes, devices, names
 * that are no UTF-8 and paths that are too long are passed over, as is what vanishes meanwhile.
 */
export async function* walkWorkspace(root: string): AsyncGenerator<WalkedEntry> {
  yield* walkNameable(await openFrame(root), []);
}

async function* walkNameable(frame: Frame | null, parts: readonly string[]): AsyncGenerator<WalkedEntry> {
  if (frame === null) return;
  try {
    for (const name of nameable(frame.names, parts)) {
      const entry = await describe(joinName(frame.path, Buffer.from(name)), [...parts, name]);
      if (entry === null) continue;
      yield entry;
      if (entry.type !== 'directory') continue;
      yield* walkNameable(await openFrame(joinName(frame.path, Buffer.from(name))), entry.parts);
    }
  } finally {
    await frame.close();
  }
}

function nameable(names: readonly Buffer[], parts: readonly string[]): string[] {
  const before = Buffer.byteLength(parts.join('/')) + (parts.length === 0 ? 0 : 1);
  return names
    .filter((name) => before + name.length <= maxPathBytes && Buffer.from(name.toString('utf8')).equals(name))
    .map((name) => name.toString('utf8'))
    .filter((name) => parts.length > 0 || !name.startsWith(reservedPrefix))
    .sort();
}

/**
 * Bytes on disk below `root`, whatever their names: what is passed over elsewhere takes room, too. Hard links count each
 * time: a program cannot make room by linking. More than any disk has where folders are nested in so many ways that it is no mistake.
 */
export async function workspaceUsage(root: string): Promise<number> {
  let total = 0;
  const first = await openFrame(root);
  const frames: Frame[] = first === null ? [] : [first];
  try {
    for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
      const name = frame.names.pop();
      if (name === undefined) {
        frames.pop();
        await frame.close();
        continue;
      }
      const path = joinName(frame.path, name);
      const found = await lstat(path).catch(unlessGone);
      if (found === null) continue;
      total += found.blocks * 512;
      if (!found.isDirectory()) continue;
      const inner = await openFrame(path);
      // A folder whose last entry this is is not needed any more: a long chain holds but one open.
      if (frame.names.length === 0) {
        frames.pop();
        await frame.close();
      }
      if (inner !== null) frames.push(inner);
      if (frames.length > maxOpenFolders) return Number.MAX_SAFE_INTEGER;
    }
    return total;
  } finally {
    for (const frame of frames) await frame.close();
  }
}

async function openFrame(path: string | Buffer): Promise<Frame | null> {
  const handle = await openFolder(path, readable).catch(unlessGone);
  if (handle === null) return null;
  const folder = pathOfHandle(handle, path);
  const names = await readdir(folder, { encoding: 'buffer' }).catch(unlessGone);
  if (names !== null) return { path: folder, names, close: () => handle.close() };
  await handle.close();
  return null;
}

async function describe(path: Buffer, parts: readonly string[]): Promise<WalkedEntry | null> {
  const found = await lstat(path).catch(unlessGone);
  if (found === null) return null;
  const modifiedSeconds = Math.min(Math.max(Math.floor(found.mtimeMs / 1000), 0), latestTarTime);
  const common = { path, parts, mode: found.mode & 0o777, modifiedSeconds };
  if (found.isFile()) return { ...common, type: 'file', size: found.size, target: '' };
  if (found.isDirectory()) return { ...common, type: 'directory', size: 0, target: '' };
  if (!found.isSymbolicLink()) return null;
  const target = await readlink(path).catch(unlessGone);
  return target === null ? null : { ...common, type: 'link', size: 0, target };
}

const goneCodes = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'EINVAL', 'EACCES', 'EPERM']);

function unlessGone(error: unknown): null {
  const code = errnoOf(error);
  if (error instanceof RuntimeFault || (code !== undefined && goneCodes.has(code))) return null;
  throw error;
}
