import { operations } from '@swissbrain/shared-schema/operations';
import { z } from 'zod';
import type { SandboxSession } from '../sandbox/driver.ts';
import { SandboxError } from '../sandbox/errors.ts';
import { PatchFailure, patchFile } from './patch-file.ts';
import { readBounded } from './read-bounded.ts';
import { readLines } from './read-lines.ts';
import type { Tool, ToolContext, ToolResult } from './tool.ts';
import { workspacePath } from './workspace-path.ts';

const maxReadBytes = 256 * 1024;
/** Of lines that were asked for: what a model is shown whole. */
const maxLineCharacters = 12_000;
const path = workspacePath;

const fileInput = z.discriminatedUnion('action', [
  z.strictObject({
    action: z.literal('read'),
    path,
    from_line: z
      .number()
      .int()
      .min(1)
      .optional()
      .describe('Only some lines, from this on: for long files, which are shown in short otherwise'),
    lines: z.number().int().min(1).max(2_000).default(400).describe('With from_line: how many at most'),
  }),
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
  z.strictObject({ action: z.literal('list'), under: path.optional().describe('Only in this folder') }),
  z.strictObject({ action: z.literal('delete'), path }),
]);
type FileInput = z.infer<typeof fileInput>;

const usage = [{ operation: operations.fileOperation, quantity: '1' }] as const;

async function readText(
  session: SandboxSession,
  { path: of, from_line: from, lines: count }: Extract<FileInput, { action: 'read' }>,
): Promise<unknown> {
  if (from !== undefined) {
    const { content, lines, nextLine } = await readLines(session.getFile(of), {
      ...{ from, count, maxCharacters: maxLineCharacters },
    });
    return { path: of, content, from_line: from, lines, next_line: nextLine };
  }
  const { bytes, truncated } = await readBounded(session.getFile(of), maxReadBytes);
  return { path: of, content: bytes.toString('utf8'), truncated };
}

async function perform(input: FileInput, context: ToolContext): Promise<unknown> {
  const session = await context.sandbox();
  switch (input.action) {
    case 'write': {
      const content = Buffer.from(input.content, 'utf8');
      await session.putFile(input.path, content);
      return { path: input.path, size: content.length };
    }
    case 'read': {
      return readText(session, input);
    }
    case 'patch':
      return patchFile(input, context, session);
    case 'list': {
      const files = await session.listFiles();
      const folder = input.under === undefined ? '' : `${input.under.replace(/\/+$/, '')}/`;
      return {
        files: files.filter((file) => !file.path.startsWith('.swissbrain') && file.path.startsWith(folder)),
      };
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
