import { mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';

/** Where the processes of a stack write. */
export function logsDir(dataDir: string): string {
  return join(dataDir, 'logs');
}

/** Keeps each log of the time before as `<name>.log.1`, so that a new start begins new ones. */
export async function rotateLogs(dataDir: string): Promise<void> {
  const directory = logsDir(dataDir);
  await mkdir(directory, { recursive: true });
  for (const name of await readdir(directory)) {
    if (name.endsWith('.log')) await rename(join(directory, name), join(directory, `${name}.1`));
  }
}
