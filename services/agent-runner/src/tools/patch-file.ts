import { createHash } from 'node:crypto';
import type { SandboxSession } from '../sandbox/driver.ts';
import { SandboxError } from '../sandbox/errors.ts';
import { readBounded } from './read-bounded.ts';
import type { ToolContext } from './tool.ts';

const maxFileBytes = 4 * 1024 * 1024;

/** A patch that does not fit the file. */
export class PatchFailure extends Error {
  override readonly name = 'PatchFailure';
  readonly code: 'text_not_found' | 'text_not_unique' | 'file_too_large';

  constructor(code: PatchFailure['code'], message: string) {
    super(message);
    this.code = code;
  }
}

export interface Patch {
  readonly path: string;
  readonly old_text: string;
  readonly new_text: string;
  readonly all: boolean;
}

const sha256Of = (text: string) => createHash('sha256').update(text).digest('hex');

async function readText(session: SandboxSession, path: string): Promise<string> {
  const { bytes, truncated } = await readBounded(session.getFile(path), maxFileBytes);
  if (truncated) throw new PatchFailure('file_too_large', `${path} is larger than ${maxFileBytes} bytes`);
  return bytes.toString('utf8');
}

async function readMark(session: SandboxSession, path: string): Promise<string | null> {
  try {
    return await readText(session, path);
  } catch (error) {
    if (error instanceof SandboxError && error.code === 'file_missing') return null;
    throw error;
  }
}

/**
 * Replaces text in a file. What the file will be is noted under the step before it is written, so that the same step, made
 * again after a crash, sees that its patch is there and does not look for text that it has replaced itself.
 * @throws PatchFailure
 */
export async function patchFile(
  { path, old_text: before, new_text: after, all }: Patch,
  { stepId, attempt }: Pick<ToolContext, 'stepId' | 'attempt'>,
  session: SandboxSession,
): Promise<{ readonly path: string; readonly replaced: number }> {
  const content = await readText(session, path);
  const mark = `.swissbrain/${stepId}.patch`;
  const places = content.split(before).length - 1;
  if (attempt > 1) {
    const [made = '', replaced = '0'] = (await readMark(session, mark))?.split(' ') ?? [];
    if (made === sha256Of(content)) return { path, replaced: Number(replaced) };
  }
  if (places === 0) throw new PatchFailure('text_not_found', `${path} does not contain that text`);
  if (places > 1 && !all)
    throw new PatchFailure('text_not_unique', `${path} contains that text ${places} times; give more of it`);
  const patched = content.replaceAll(before, () => after);
  await session.putFile(mark, Buffer.from(`${sha256Of(patched)} ${places}`, 'utf8'));
  await session.putFile(path, Buffer.from(patched, 'utf8'));
  return { path, replaced: places };
}
