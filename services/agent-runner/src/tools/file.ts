import { operations } from '@swissbrain/shared-schema/operations';
import { z } from 'zod';
import { SandboxError } from '../sandbox/errors.ts';
import { PatchFailure, patchFile } from './patch-file.ts';
import { readBounded } from './read-bounded.ts';
import type { Tool, ToolContext, ToolResult } from './tool.ts';

const maxReadBytes = 256 * 1024;
const path = z
  .string()
  .min(1)
  .max(512)
  .refine((text) => !text.startsWith('/') && !text.split('/').includes('..'), 'a path inside the workspace');

const fileInput = z.discriminatedUnion('action', [
  z.strictObject({ action: z.literal('read'), path }),
  z.strictObject({ action: z.literal('write'), path, content: z.string().max(4 * 1024 * 1024) }),
  z.strictObject({
    action: z.literal('patch'),
    path,
    old_text: z
      .string()
      .min(1)
      .max(256 * 1024)
      .describe('Exactly as it stands in the file'),
    new_text: z.string().max(256 * 1024),
    all: z.boolean().default(false).describe('Replace every place; without, there must be exactly one'),
  }),
  z.strictObject({ action: z.literal('list') }),
  z.strictObject({ action: z.literal('delete'), path }),
]);
type FileInput = z.infer<typeof fileInput>;

const usage = [{ operation: operations.fileOperation, quantity: '1' }] as const;

async function perform(input: FileInput, context: ToolContext): Promise<unknown> {
  const session = await context.sandbox();
  switch (input.action) {
    case 'write': {
      const content = Buffer.from(input.content, 'utf8');
      await session.putFile(input.path, content);
      return { path: input.path, size: content.length };
    }
    case 'read': {
      const { bytes, truncated } = await readBounded(session.getFile(input.path), maxReadBytes);
      return { path: input.path, content: bytes.toString('utf8'), truncated };
    }
    case 'patch':
      return patchFile(input, context, session);
    case 'list': {
      const files = await session.listFiles();
      return { files: files.filter((file) => !file.path.startsWith('.swissbrain')) };
    }
    case 'delete':
      await session.deleteFile(input.path);
      return { path: input.path };
  }
}

/** Reads, writes, patches, lists and deletes text files of the workspace. */
export const fileTool: Tool<FileInput> = {
  name: 'file',
  type: 'file',
  description:
    'Reads, writes, patches, lists or deletes files of the workspace. Paths are relative to the workspace. ' +
    'Files under artifacts/ are kept and shown to the user.',
  input: fileInput,
  offered: true,
  effect: 'write',
  effectOf: ({ action }) => (action === 'read' || action === 'list' ? 'read' : 'write'),
  // A patch finds by its step whether it was made; the others can be made again.
  resume: 'lookup',
  timeoutSeconds: 300,
  unavailable: () => null,
  estimate: () => usage,
  async run(input, context): Promise<ToolResult> {
    try {
      return { output: await perform(input, context), usage };
    } catch (error) {
      if (error instanceof PatchFailure)
        return { output: null, usage: [], failure: { code: error.code, message: error.message } };
      if (!(error instanceof SandboxError) || error.fault !== 'user') throw error;
      return { output: null, usage: [], failure: { code: error.code, message: error.message } };
    }
  },
};
