import { readFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import type { CreateRunBody } from '@swissbrain/client/types';
import { CliError } from './cli-error.ts';
import { isPackageFile, resolvePackageFile } from './package-file.ts';
import type { PlaybookInput } from './playbook.ts';

export type RunInputs = NonNullable<CreateRunBody['inputs']>;
type RunInput = RunInputs[string];

/** Where relative paths start, and where packages are looked for. */
export interface InputPlaces {
  /** Of paths on the command line. */
  readonly directory: string;
  /** Of paths that are defaults in the playbook. */
  readonly playbookDirectory: string;
  readonly root: string;
}

/**
 * Reads `name=value` arguments; the value may hold further `=`.
 * @throws CliError for an argument without a name, and for a name given twice
 */
export function parseAssignments(arguments_: readonly string[]): ReadonlyMap<string, string> {
  const assignments = new Map<string, string>();
  for (const argument of arguments_) {
    const at = argument.indexOf('=');
    if (at < 1) throw new CliError(`--input ${argument} is not of the form name=value`);
    const name = argument.slice(0, at);
    if (assignments.has(name)) throw new CliError(`--input ${name} is given twice`);
    assignments.set(name, argument.slice(at + 1));
  }
  return assignments;
}

/**
 * The inputs of a playbook run: what the command line gives, else the default, each in the playbook's type,
 * files with their content. Defaults that are no files are left to the service.
 * @throws CliError that names the input
 */
export async function playbookInputs(
  declared: Readonly<Record<string, PlaybookInput>>,
  given: ReadonlyMap<string, string>,
  places: InputPlaces,
): Promise<RunInputs> {
  const unknown = [...given.keys()].filter((name) => !Object.hasOwn(declared, name));
  if (unknown.length > 0) {
    const known = Object.keys(declared).join(', ');
    throw new CliError(`the playbook has no input ${unknown.join(', ')}`, {
      hint: known === '' ? 'It has none.' : `It has ${known}.`,
    });
  }
  const inputs: RunInputs = {};
  for (const [name, input] of Object.entries(declared)) {
    const value = await resolveInput(name, input, given.get(name), places);
    if (value !== null) inputs[name] = value;
  }
  return inputs;
}

async function resolveInput(
  name: string,
  input: PlaybookInput,
  text: string | undefined,
  places: InputPlaces,
): Promise<RunInput | null> {
  if (text !== undefined) {
    return input.type === 'file'
      ? readInputFile(name, text, places.directory, places)
      : convert(name, input.type, text);
  }
  if (input.default === undefined) {
    const about = input.description ? ` (${input.description})` : '';
    const example = input.type === 'file' ? 'path' : 'value';
    throw new CliError(`input ${name} is missing${about}`, { hint: `Add --input ${name}=${example}` });
  }
  return input.type === 'file'
    ? readInputFile(name, String(input.default), places.playbookDirectory, places)
    : null;
}

/**
 * The inputs of a goal run, which declares none: text, or with `name=@path` a file.
 * @throws CliError when a file cannot be read
 */
export async function goalInputs(
  given: ReadonlyMap<string, string>,
  places: InputPlaces,
): Promise<RunInputs> {
  const inputs: RunInputs = {};
  for (const [name, text] of given) {
    inputs[name] = text.startsWith('@')
      ? await readInputFile(name, text.slice(1), places.directory, places)
      : text;
  }
  return inputs;
}

function convert(name: string, type: 'string' | 'number' | 'boolean', text: string): RunInput {
  if (type === 'string') return text;
  if (type === 'boolean') {
    if (text === 'true' || text === 'false') return text === 'true';
    throw new CliError(`input ${name} is true or false, not ${text}`);
  }
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!Number.isFinite(value)) throw new CliError(`input ${name} is a number, not ${text}`);
  return value;
}

async function readInputFile(
  name: string,
  text: string,
  directory: string,
  places: InputPlaces,
): Promise<RunInput> {
  const path = isPackageFile(text)
    ? resolvePackageFile(text, [places.playbookDirectory, places.directory, places.root])
    : resolve(directory, text);
  try {
    return { filename: basename(path), content_base64: (await readFile(path)).toString('base64') };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new CliError(`input ${name}: cannot read ${path}: ${code}`, { cause: error });
  }
}
