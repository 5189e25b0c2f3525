import { describe, expect, it } from 'vitest';
import type { SandboxSession } from '../sandbox/driver.ts';
import { SandboxError } from '../sandbox/errors.ts';
import { patchFile } from './patch-file.ts';

/** The files of a session and nothing else of it. */
function filesOf(files: Map<string, string>): SandboxSession {
  return {
    async *getFile(path: string) {
      const content = files.get(path);
      if (content === undefined) throw new SandboxError('user', 'file_missing', `there is no ${path}`);
      yield Buffer.from(content);
    },
    async putFile(path: string, content: Uint8Array) {
      files.set(path, Buffer.from(content).toString('utf8'));
    },
  } as unknown as SandboxSession;
}

const patch = { path: 'a', old_text: 'x', new_text: 'xx', all: true };

describe('a patch that is made again after a crash', () => {
  it('is not made twice, though its text is there again', async () => {
    const files = new Map([['a', '-x-x-']]);
    const session = filesOf(files);
    expect(await patchFile(patch, { stepId: 's', attempt: 1 }, session)).toEqual({ path: 'a', replaced: 2 });
    expect(await patchFile(patch, { stepId: 's', attempt: 2 }, session)).toEqual({ path: 'a', replaced: 2 });
    expect(files.get('a')).toBe('-xx-xx-');
  });

  it('is made when the worker died before it wrote', async () => {
    const files = new Map([['a', '-x-']]);
    const session = filesOf(files);
    const dying = {
      ...session,
      putFile: (path: string, content: Uint8Array) =>
        path === 'a' ? Promise.reject(new Error('killed')) : session.putFile(path, content),
    } as SandboxSession;
    await expect(patchFile(patch, { stepId: 's', attempt: 1 }, dying)).rejects.toThrow('killed');
    expect(await patchFile(patch, { stepId: 's', attempt: 2 }, session)).toEqual({ path: 'a', replaced: 1 });
    expect(files.get('a')).toBe('-xx-');
  });

  it('is another patch in another step', async () => {
    const files = new Map([['a', '-x-']]);
    const session = filesOf(files);
    await patchFile(patch, { stepId: 's', attempt: 2 }, session);
    await patchFile(patch, { stepId: 't', attempt: 2 }, session);
    expect(files.get('a')).toBe('-xxxx-');
  });
});
