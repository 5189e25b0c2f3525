import { type PlaybookInput, PlaybookProblem } from './playbook.ts';

/** What a run was given: a plain value, or a file that lies in the workspace at `path`. */
export type RunInput =
  | { readonly kind: 'value'; readonly value: string | number | boolean }
  | { readonly kind: 'file'; readonly path: string; readonly name: string };

/** Where a file input lies in the workspace. */
export function inputPath(filename: string): string {
  return `inputs/${filename}`;
}

/** The value that `${{ inputs.<name> }}` stands for: a file's workspace path, or the value itself. */
export function inputValue(input: RunInput): string | number | boolean {
  return input.kind === 'file' ? input.path : input.value;
}

function checkOne(name: string, declared: PlaybookInput, given: RunInput | undefined): RunInput {
  if (given === undefined) {
    if (declared.type !== 'file' && declared.default !== undefined) {
      return { kind: 'value', value: declared.default };
    }
    throw new PlaybookProblem('bad_input', null, `the input "${name}" (${declared.type}) is missing`);
  }
  const actual = given.kind === 'file' ? 'file' : typeof given.value;
  if (actual !== declared.type) {
    throw new PlaybookProblem(
      'bad_input',
      null,
      `the input "${name}" is a ${declared.type}, not a ${actual}`,
    );
  }
  return given;
}

/**
 * Matches what was given with what the playbook declares and fills in defaults.
 * @throws PlaybookProblem for a missing, unknown or wrongly typed input, or two files of one name
 */
export function checkInputs(
  declared: Readonly<Record<string, PlaybookInput>>,
  given: Readonly<Record<string, RunInput>>,
): Record<string, RunInput> {
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(declared, name)) {
      throw new PlaybookProblem('unknown_input', null, `the playbook declares no input "${name}"`);
    }
  }
  const inputs = Object.entries(declared).map(([name, declaration]) => {
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    return [name, checkOne(name, declaration, value)] as const;
  });
  rejectSharedNames(inputs.map(([, input]) => input));
  return Object.fromEntries(inputs);
}

/** @throws PlaybookProblem when two file inputs would lie at the same path of the workspace */
export function rejectSharedNames(inputs: readonly RunInput[]): void {
  const paths = new Set<string>();
  for (const input of inputs) {
    if (input.kind !== 'file') continue;
    if (paths.has(input.path)) {
      throw new PlaybookProblem('bad_input', null, `two input files are named "${input.name}"`);
    }
    paths.add(input.path);
  }
}
