import { readdir, readlink, stat } from 'node:fs/promises';
import { errnoOf } from './faults.ts';

/**
 * Bytes on the file systems `devices` of files that these processes hold open and that have no name any more: no walk
 * through folders finds them, and they take room until they are closed. 0 where there is no /proc.
 */
export async function namelessBytes(pids: Iterable<number>, devices: ReadonlySet<number>): Promise<number> {
  const found = new Map<string, number>();
  for (const pid of pids) {
    const folder = `/proc/${pid}/fd`;
    for (const name of (await readdir(folder).catch(unlessGone)) ?? []) {
      const path = `${folder}/${name}`;
      const target = await readlink(path).catch(unlessGone);
      if (!target?.endsWith(' (deleted)')) continue;
      const file = await stat(path).catch(unlessGone);
      if (!file?.isFile() || file.nlink > 0 || !devices.has(file.dev)) continue;
      found.set(`${file.dev}:${file.ino}`, file.blocks * 512);
    }
  }
  return [...found.values()].reduce((sum, bytes) => sum + bytes, 0);
}

/** A process may end, or close what it holds, while it is looked at; one that cannot be traced is none of a user's. */
function unlessGone(error: unknown): null {
  const code = errnoOf(error);
  if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES' || code === 'EPERM') return null;
  throw error;
}
