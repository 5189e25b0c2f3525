import { constants, existsSync } from 'node:fs';
import { type FileHandle, lstat, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, RuntimeFault } from './faults.ts';

/** A folder that was reached without following a link. Join `path` with one name, never with more. */
export interface ConfinedDirectory {
  readonly path: string;
  close(): Promise<void>;
}

/** On Linux a path through an open descriptor stays with the folder even when a program swaps names meanwhile. */
const descriptorPathsWork = process.platform === 'linux' && existsSync('/proc/self/fd');

const directoryFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * Opens the folder `parts` below `root`, refusing any link on the way. Elsewhere than on Linux each part is checked
 * by name, which a program running at the same time could outrun.
 * @throws RuntimeFault `file_missing`, `path_refused`
 */
export async function openConfined(
  root: string,
  parts: readonly string[],
  options: { readonly create: boolean; readonly byDescriptor?: boolean },
): Promise<ConfinedDirectory> {
  return (options.byDescriptor ?? descriptorPathsWork)
    ? openByDescriptor(root, parts, options.create)
    : openByName(root, parts, options.create);
}

async function openByDescriptor(
  root: string,
  parts: readonly string[],
  create: boolean,
): Promise<ConfinedDirectory> {
  let handle: FileHandle = await open(root, directoryFlags);
  for (const part of parts) {
    const parent = handle;
    try {
      handle = await step(`/proc/self/fd/${parent.fd}/${part}`, create);
    } catch (error) {
      throw asFault(error);
    } finally {
      await parent.close();
    }
  }
  return { path: `/proc/self/fd/${handle.fd}`, close: () => handle.close() };
}

async function step(path: string, create: boolean): Promise<FileHandle> {
  if (create) await makeDirectory(path);
  return open(path, directoryFlags);
}

async function openByName(
  root: string,
  parts: readonly string[],
  create: boolean,
): Promise<ConfinedDirectory> {
  let path = root;
  for (const part of parts) {
    path = join(path, part);
    if (create) await makeDirectory(path);
    const found = await lstat(path).catch((error: unknown) => {
      throw asFault(error);
    });
    if (!found.isDirectory()) throw notADirectory();
  }
  return { path, close: async () => undefined };
}

async function makeDirectory(path: string): Promise<void> {
  await mkdir(path, { mode: 0o755 }).catch((error: unknown) => {
    if (errnoOf(error) !== 'EEXIST') throw error;
  });
}

function asFault(error: unknown): unknown {
  const code = errnoOf(error);
  if (code === 'ENOENT') return new RuntimeFault(404, 'file_missing', 'there is no such file');
  if (code === 'ELOOP' || code === 'ENOTDIR') return notADirectory();
  return error;
}

function notADirectory(): RuntimeFault {
  return new RuntimeFault(400, 'path_refused', 'the path is refused: a part of it is a file or a link');
}
