import { join } from 'node:path';
import { parseJson, readIfPresent, writePrivate } from '@swissbrain/local-stack/state';
import { uuid } from '@swissbrain/shared-schema/ids';
import { z } from 'zod';
import { CliError } from './cli-error.ts';

const stored = z.object({ user_id: uuid });

/**
 * The user that development tokens are made for: drawn once and kept beside the stack's data, so that runs
 * and balance are still there after a restart, and gone after a reset.
 */
export async function developmentUser(dataDir: string): Promise<string> {
  const file = join(dataDir, 'development-user.json');
  const text = await readIfPresent(file);
  if (text === undefined) {
    const userId = crypto.randomUUID();
    await writePrivate(file, JSON.stringify({ user_id: userId }));
    return userId;
  }
  const parsed = stored.safeParse(parseJson(text));
  if (!parsed.success)
    throw new CliError(`${file} has no user_id`, { hint: 'Remove the file: a new user is drawn.' });
  return parsed.data.user_id;
}
