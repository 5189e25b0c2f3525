import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, symlink, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { createDescent, type Descent, joinName } from './confined-directory.ts';
import { errnoOf, RuntimeFault } from './faults.ts';
import { reservedPrefix } from './protocol.ts';
import { removeTrees } from './remove-trees.ts';
import { type ReadTarEntry, readTar } from './tar-reader.ts';
import { type TarEntry, tarHeader, tarPadding, tarTrailer } from './tar-writer.ts';
import { openRegularFile } from './workspace.ts';
import { linkStaysInside, parseWorkspacePath } from './workspace-path.ts';
import { type WalkedEntry, walkWorkspace } from './workspace-walk.ts';

const readChunkBytes = 256 * 1024;
const maxEntries = 200_000;
/** Of every file: the runtime has to get at it again. */
const ownerAccess = 0o600;

/** The workspace as a tar file. Links that lead out are left out, since they could not be restored. */
export async function* archiveWorkspace(root: string): AsyncGenerator<Uint8Array> {
  for await (const walked of walkWorkspace(root)) {
    if (walked.type === 'link' && !linkStaysInside(walked.parts, walked.target)) continue;
    if (walked.type === 'file') yield* archiveFile(walked);
    else yield tarHeader(entryOf(walked, 0));
  }
  yield tarTrailer();
}

/**
 * Replaces the workspace by the content of a tar file. It is unpacked beside the workspace first, so an archive that
 * is refused half-way changes nothing.
 * @throws RuntimeFault `archive_invalid`, `path_refused`, `workspace_full`
 */
export async function restoreWorkspace(
  root: string,
  source: AsyncIterable<Uint8Array>,
  room: number,
): Promise<void> {
  // Inside the workspace, because in a container only that is sure to be the same file system.
  const staging = join(root, `${reservedPrefix}restore-${randomUUID()}`);
  await mkdir(staging, { mode: 0o700 });
  try {
    await unpack(staging, source, room);
    const names = await readdir(root, { encoding: 'buffer' });
    const old = names.filter((name) => !name.toString('latin1').startsWith(reservedPrefix));
    await removeTrees(
      root,
      old.map((name) => joinName(root, name)),
    );
    for (const name of await readdir(staging)) await rename(join(staging, name), join(root, name));
  } finally {
    await removeTrees(root, [staging]);
  }
}

async function* archiveFile(walked: WalkedEntry): AsyncGenerator<Uint8Array> {
  const handle = await openWalked(walked);
  if (handle === null) return;
  try {
    const { size } = await handle.stat();
    yield tarHeader(entryOf(walked, size));
    for (let missing = size; missing > 0; ) {
      const chunk = Buffer.alloc(Math.min(missing, readChunkBytes));
      const { bytesRead } = await handle.read(chunk, 0, chunk.length);
      // A file that shrinks while it is read ends in zeros: its length stands in the header already.
      const piece = bytesRead === 0 ? chunk : chunk.subarray(0, bytesRead);
      missing -= piece.length;
      yield piece;
    }
    yield tarPadding(size);
  } finally {
    await handle.close();
  }
}

/** Null when the file has vanished or turned into something else since it was seen. */
async function openWalked({ path }: WalkedEntry): Promise<FileHandle | null> {
  try {
    return await openRegularFile(path);
  } catch (error) {
    if (error instanceof RuntimeFault) return null;
    throw error;
  }
}

async function unpack(staging: string, source: AsyncIterable<Uint8Array>, room: number): Promise<void> {
  const directories: TarEntry[] = [];
  const descent = await createDescent(staging);
  let total = 0;
  let count = 0;
  try {
    for await (const item of readTar(source)) {
      count += 1;
      total += item.entry.size;
      if (total > room)
        throw new RuntimeFault(413, 'workspace_full', 'the archive is larger than the workspace');
      if (count > maxEntries) throw archiveInvalid(`it has more than ${maxEntries} entries`);
      await unpackEntry(descent, item);
      if (item.entry.type === 'directory') directories.push(item.entry);
    }
    // Writing into a folder changes its time, so folders get theirs when all is in place, the deepest first.
    for (const { path, modifiedSeconds } of directories.reverse()) {
      await utimes(`${await descent.enter(parseWorkspacePath(path))}/.`, modifiedSeconds, modifiedSeconds);
    }
  } finally {
    await descent.close();
  }
}

async function unpackEntry(descent: Descent, { entry, content }: ReadTarEntry): Promise<void> {
  const parts = parseWorkspacePath(entry.path);
  if (entry.type === 'directory') {
    await descent.enter(parts);
    return;
  }
  if (entry.type === 'link' && !linkStaysInside(parts, entry.target)) {
    throw archiveInvalid('a link leads out of the workspace');
  }
  const path = join(await descent.enter(parts.slice(0, -1)), parts.at(-1) ?? '');
  try {
    if (entry.type === 'link') await symlink(entry.target, path);
    else await unpackFile(path, entry, content);
  } catch (error) {
    throw errnoOf(error) === 'EEXIST' ? archiveInvalid('a name is in it twice') : error;
  }
}

async function unpackFile(path: string, entry: TarEntry, content: AsyncIterable<Buffer>): Promise<void> {
  const handle = await open(path, 'wx', 0o600);
  try {
    for await (const piece of content) await handle.writeFile(piece);
    await handle.chmod(entry.mode | ownerAccess);
    await handle.utimes(entry.modifiedSeconds, entry.modifiedSeconds);
  } finally {
    await handle.close();
  }
}

/** Only what is restored goes in, so that a restored workspace has the same archive. */
function entryOf({ parts, type, mode, modifiedSeconds, target }: WalkedEntry, size: number): TarEntry {
  return {
    type,
    path: parts.join('/'),
    size,
    mode: type === 'file' ? mode | ownerAccess : 0o755,
    modifiedSeconds: type === 'link' ? 0 : modifiedSeconds,
    target,
  };
}

function archiveInvalid(why: string): RuntimeFault {
  return new RuntimeFault(400, 'archive_invalid', `the archive is refused: ${why}`);
}
