import { existsSync } from 'node:fs';
import { type FileHandle, lstat, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, RuntimeFault } from './faults.ts';
import { openFolder } from './folder-handle.ts';

/** A folder that was reached without following a link. Join `path` with one name, never with more. */
export interface ConfinedDirectory {
  readonly path: string;
  close(): Promise<void>;
}

/** On Linux a path through an open descriptor stays with the folder even when a program swaps names meanwhile. */
const descriptorPathsWork = process.platform === 'linux' && existsSync('/proc/self/fd');

/** The path by which what an open folder holds is reached; `otherwise` where descriptors give none. */
export function pathOfHandle(handle: FileHandle, otherwise: string | Buffer): string {
  return descriptorPathsWork ? `/proc/self/fd/${handle.fd}` : otherwise.toString();
}

/** The path of one name in a folder, byte by byte: it may be no text. */
export function joinName(folder: string, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${folder}/`), name]);
}

/** To reach what lies in a folder, and to change what lies there. */
const [searchable, writable] = [0o100, 0o300];

/**
 * Opens the folder `parts` below `root`, refusing any link on the way. Elsewhere than on Linux each part is checked
 * by name, which a program running at the same time could outrun. `change`: to change what lies there.
 * @throws RuntimeFault `file_missing`, `path_refused`
 */
export async function openConfined(
  root: string,
  parts: readonly string[],
  options: { readonly create: boolean; readonly change?: boolean; readonly byDescriptor?: boolean },
): Promise<ConfinedDirectory> {
  const need = options.create || options.change ? writable : searchable;
  return (options.byDescriptor ?? descriptorPathsWork)
    ? openByDescriptor(root, parts, options.create, need)
    : openByName(root, parts, options.create);
}

/** One folder after the other below `root`, of which those on the way to the last one are kept open. */
export interface Descent {
  /** Makes what is missing. The path holds until the next call. @throws RuntimeFault `path_refused` */
  enter(parts: readonly string[]): Promise<string>;
  close(): Promise<void>;
}

/** For folders that lie near each other: each step down is taken once. */
export async function createDescent(root: string): Promise<Descent> {
  const top = await openConfined(root, [], { create: true });
  const steps: { readonly name: string; readonly directory: ConfinedDirectory }[] = [];
  const leaveTo = async (depth: number) => {
    for (const { directory } of steps.splice(depth).reverse()) await directory.close();
  };
  return {
    async enter(parts) {
      const common = steps.findIndex(({ name }, index) => name !== parts[index]);
      await leaveTo(common === -1 ? parts.length : common);
      for (const name of parts.slice(steps.length)) {
        const directory = await openBelow(steps.at(-1)?.directory ?? top, name);
        steps.push({ name, directory });
      }
      return (steps.at(-1)?.directory ?? top).path;
    },
    async close() {
      await leaveTo(0);
      await top.close();
    },
  };
}

async function openBelow({ path }: ConfinedDirectory, name: string): Promise<ConfinedDirectory> {
  if (!descriptorPathsWork) return openByName(path, [name], true);
  try {
    const handle = await step(`${path}/${name}`, true, writable);
    return { path: `/proc/self/fd/${handle.fd}`, close: () => handle.close() };
  } catch (error) {
    throw asFault(error);
  }
}

async function openByDescriptor(
  root: string,
  parts: readonly string[],
  create: boolean,
  need: number,
): Promise<ConfinedDirectory> {
  let handle = await openFolder(root, need);
  for (const part of parts) {
    const parent = handle;
    try {
      handle = await step(`/proc/self/fd/${parent.fd}/${part}`, create, need);
    } catch (error) {
      throw asFault(error);
    } finally {
      await parent.close();
    }
  }
  return { path: `/proc/self/fd/${handle.fd}`, close: () => handle.close() };
}

async function step(path: string, create: boolean, need: number): Promise<FileHandle> {
  if (create) await makeDirectory(path);
  return openFolder(path, need);
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
