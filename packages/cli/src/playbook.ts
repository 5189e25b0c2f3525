import { readFile } from 'node:fs/promises';
import type { CreateRunBody } from '@swissbrain/client/types';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { CliError } from './cli-error.ts';

/** The part of a playbook that the command line itself needs; the service checks the whole. */
const outline = z.looseObject({
  name: z.string().optional(),
  inputs: z
    .record(
      z.string(),
      z.looseObject({
        type: z.enum(['string', 'number', 'boolean', 'file']),
        description: z.string().optional(),
        default: z.union([z.string(), z.number(), z.boolean()]).optional(),
      }),
    )
    .default({}),
  steps: z.array(z.looseObject({})).default([]),
});

export type PlaybookOutline = z.infer<typeof outline>;
export type PlaybookInput = PlaybookOutline['inputs'][string];

export interface Playbook {
  readonly outline: PlaybookOutline;
  /** As it stands in the file; goes to the service unchanged. */
  readonly document: NonNullable<CreateRunBody['playbook']>;
}

/**
 * Reads a playbook from a YAML (or JSON) file.
 * @throws CliError with the line when the file is not YAML or its inputs are malformed
 */
export async function readPlaybook(path: string): Promise<Playbook> {
  const text = await readText(path);
  const parsed = parseDocument(text);
  const [problem] = parsed.errors;
  if (problem) throw new CliError(`${path} is not valid YAML: ${problem.message.trim()}`);
  const document: unknown = parsed.toJS();
  const result = outline.safeParse(document);
  if (!result.success) throw new CliError(`${path} is not a playbook:\n${z.prettifyError(result.error)}`);
  return { outline: result.data, document: document as Playbook['document'] };
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new CliError(`cannot read ${path}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`, {
      cause: error,
    });
  }
}
