import { constants } from 'node:fs';
import { chmod, type FileHandle, open } from 'node:fs/promises';
import { errnoOf } from './faults.ts';

const directoryFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const all = 0o700;

/**
 * Opens a folder that is no link. One that a program has closed is opened up first: it is of the same user, who may do
 * so, and what nobody can look into could neither be counted nor kept nor removed.
 * @param need bits of the owner that must be set, for example 0o500 to look into it
 */
export async function openFolder(path: string | Buffer, need: number): Promise<FileHandle> {
  const handle = await open(path, directoryFlags).catch(async (error: unknown) => {
    if (errnoOf(error) !== 'EACCES') throw error;
    await chmod(path, all);
    return open(path, directoryFlags);
  });
  try {
    const { mode } = await handle.stat();
    if ((mode & need) !== need) await handle.chmod((mode & 0o7777) | all);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}
