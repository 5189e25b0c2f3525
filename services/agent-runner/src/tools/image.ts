import { extname } from 'node:path';
import { operations } from '@swissbrain/shared-schema/operations';
import { z } from 'zod';
import { SandboxError } from '../sandbox/errors.ts';
import type { ImageMaker } from './image-model.ts';
import type { Picture } from './picture.ts';
import { readBounded } from './read-bounded.ts';
import type { Tool, ToolContext, ToolResult } from './tool.ts';
import { workspacePath } from './workspace-path.ts';

const mostPictures = 4;
/** For starting the sandbox and putting the files there. */
const graceSeconds = 300;
const maxNoteBytes = 64 * 1024;

const imageInput = z.strictObject({
  prompt: z.string().min(1).max(8_000).describe('What the picture shows, in which manner'),
  path: workspacePath
    .default('artifacts/image.png')
    .describe('Where to put it; of several, each gets a number. The ending follows what the model gives'),
  count: z.number().int().min(1).max(mostPictures).default(1),
  size: z
    .string()
    .regex(/^[1-9]\d{1,3}x[1-9]\d{1,3}$/)
    .optional()
    .describe('For example 1024x1024; models take few sizes'),
});
type ImageInput = z.infer<typeof imageInput>;

const note = z.array(z.strictObject({ path: z.string(), size_bytes: z.number().int() })).min(1);
type Note = z.infer<typeof note>;
const noteOf = (stepId: string) => `.swissbrain/${stepId}.images`;

const usageOf = (count: number) => [{ operation: operations.imageGeneration, quantity: String(count) }];
const howTo =
  'no image model is configured: set IMAGE_MODEL together with OPENAI_API_KEY, or with IMAGE_BASE_URL of a server with ' +
  'OpenAI’s API (and IMAGE_API_KEY where it wants one)';

/** `a/b.png` as `a/b-2.jpg`. */
function pathOf({ path, count }: ImageInput, place: number, { extension }: Picture): string {
  const ending = extname(path);
  const given = ending === '.jpeg' ? '.jpg' : ending;
  const base = path.slice(0, path.length - ending.length);
  const number = count === 1 ? '' : `-${place + 1}`;
  return `${base}${number}${given === extension ? ending : extension}`;
}

/** Null for what is no note: programs of the run can write there, too. */
function readNote(text: string): Note | null {
  try {
    return note.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/** What this very step has left before a crash. */
async function madeBefore(context: ToolContext): Promise<Note | null> {
  if (context.attempt === 1) return null;
  const session = await context.sandbox();
  try {
    const { bytes } = await readBounded(session.getFile(noteOf(context.stepId)), maxNoteBytes);
    return readNote(bytes.toString('utf8'));
  } catch (error) {
    if (error instanceof SandboxError && error.code === 'file_missing') return null;
    throw error;
  }
}

async function keep(input: ImageInput, pictures: readonly Picture[], context: ToolContext): Promise<Note> {
  const session = await context.sandbox();
  const kept: Note = [];
  for (const [place, picture] of pictures.entries()) {
    const path = pathOf(input, place, picture);
    await session.putFile(path, picture.bytes);
    kept.push({ path, size_bytes: picture.bytes.length });
  }
  await session.putFile(noteOf(context.stepId), Buffer.from(JSON.stringify(kept), 'utf8'));
  return kept;
}

async function make(maker: ImageMaker, input: ImageInput, context: ToolContext): Promise<ToolResult> {
  const before = await madeBefore(context);
  if (before) return { output: { images: before }, usage: usageOf(before.length) };
  // A sandbox that does not start fails the step before the picture is paid for.
  await context.sandbox();
  const drawn = await maker.draw(input, context);
  if ('failure' in drawn) return { output: null, usage: [], failure: drawn.failure };
  const images = await keep(input, drawn.pictures, context);
  return { output: { images }, usage: usageOf(images.length) };
}

/** Makes pictures with the configured model and leaves them in the workspace. What was not made costs nothing. */
export function createImageTool(maker: ImageMaker | null): Tool<ImageInput> {
  return {
    name: 'image',
    type: 'image',
    description:
      'Makes pictures from a description and puts them into the workspace. Files under artifacts/ are kept and shown to ' +
      'the user. You do not see the picture.',
    input: imageInput,
    offered: true,
    effect: 'write',
    resume: 'lookup',
    timeoutSeconds: (maker?.longestSeconds ?? 0) + graceSeconds,
    unavailable: () => (maker ? null : howTo),
    estimate: ({ count = 1 }) => usageOf(typeof count === 'number' ? count : mostPictures),
    async run(input, context) {
      if (!maker) throw new Error('the image tool runs only where a model is configured');
      try {
        return await make(maker, input, context);
      } catch (error) {
        if (!(error instanceof SandboxError) || error.fault !== 'user') throw error;
        return { output: null, usage: [], failure: { code: error.code, message: error.message } };
      }
    },
  };
}
