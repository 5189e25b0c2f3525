import { randomUUID } from 'node:crypto';
import { readdir, rename, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { joinName, openConfined } from './confined-directory.ts';
import { errnoOf } from './faults.ts';
import { openFolder } from './folder-handle.ts';
import { reservedPrefix } from './protocol.ts';

/** What programs put into a folder while it is being removed is removed with it, so often. */
const mostRounds = 1_000;

/**
 * Removes files, links and folders with all they hold; harmless where there is nothing. Folders are emptied one by one,
 * each moved to the top first, since a program may nest them deeper than any path reaches, close them, and give them
 * names that are no text.
 * @param root a folder on the same file system, in which the others are gathered
 */
export async function removeTrees(root: string, paths: readonly (string | Buffer)[]): Promise<void> {
  const folders: (string | Buffer)[] = [];
  for (const path of paths) if (!(await unlinked(path))) folders.push(path);
  if (folders.length === 0) return;
  const name = `${reservedPrefix}removed-${randomUUID()}`;
  const gathered = await openConfined(root, [name], { create: true });
  try {
    await empty(gathered.path, folders);
  } finally {
    await gathered.close();
  }
  await rmdir(join(root, name)).catch(unlessGone);
}

async function empty(gathered: string, folders: readonly (string | Buffer)[]): Promise<void> {
  const pending: string[] = [];
  let last = 0;
  const gather = async (folder: string | Buffer) => {
    // To move a folder elsewhere is to write into it.
    const handle = await openFolder(folder, 0o700).catch(unlessGone);
    if (handle === null) return;
    await handle.close();
    last += 1;
    const moved = await rename(folder, join(gathered, String(last))).then(() => true, unlessGone);
    if (moved) pending.push(String(last));
  };
  for (const folder of folders) await gather(folder);
  let rounds = 0;
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const path = join(gathered, name);
    for (const child of (await readdir(path, { encoding: 'buffer' }).catch(unlessGone)) ?? []) {
      const childPath = joinName(path, child);
      if (!(await unlinked(childPath))) await gather(childPath);
    }
    try {
      await rmdir(path);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') continue;
      rounds += 1;
      if (errnoOf(error) !== 'ENOTEMPTY' || rounds > mostRounds) throw error;
      pending.push(name);
    }
  }
}

/** False when it is a folder. */
async function unlinked(path: string | Buffer): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return true;
    // macOS says EPERM of a folder.
    if (code === 'EISDIR' || code === 'EPERM') return false;
    throw error;
  }
}

/** Somebody else may remove the same. */
function unlessGone(error: unknown): null {
  if (errnoOf(error) === 'ENOENT') return null;
  throw error;
}
