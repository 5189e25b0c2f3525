import { dirname, resolve } from 'node:path';
import type { CreateRunBody } from '@swissbrain/client/types';
import { CliError } from './cli-error.ts';
import { goalInputs, parseAssignments, playbookInputs } from './inputs.ts';
import { readPlaybook } from './playbook.ts';

/** What the command line says about a run. */
export interface RunRequest {
  readonly file?: string | undefined;
  readonly goal?: string | undefined;
  readonly inputs: readonly string[];
  readonly title?: string | undefined;
  readonly mode?: string | undefined;
  readonly budget?: string | undefined;
}

/**
 * The body of POST /v1/runs.
 * @throws CliError when neither or both of file and goal are given, or an input is wrong
 */
export async function runBody(
  request: RunRequest,
  places: { readonly directory: string; readonly root: string },
): Promise<CreateRunBody> {
  const given = parseAssignments(request.inputs);
  const { file, goal } = request;
  const options = {
    ...(request.title === undefined ? {} : { title: request.title }),
    ...(request.mode === undefined ? {} : { mode: request.mode as NonNullable<CreateRunBody['mode']> }),
    ...(request.budget === undefined ? {} : { budget: request.budget }),
  };
  if (file !== undefined && goal !== undefined)
    throw new CliError('a run has a playbook or a goal, not both');
  if (goal !== undefined) {
    const inputs = await goalInputs(given, { ...places, playbookDirectory: places.directory });
    return { goal, inputs, ...options };
  }
  if (file === undefined) {
    throw new CliError('what shall run?', {
      hint: 'Name a playbook (examples/seattle-weather.yaml) or give --goal "…".',
    });
  }
  const path = resolve(places.directory, file);
  const playbook = await readPlaybook(path);
  const inputs = await playbookInputs(playbook.outline.inputs, given, {
    ...places,
    playbookDirectory: dirname(path),
  });
  return { playbook: playbook.document, inputs, ...options };
}
