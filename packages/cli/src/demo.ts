import { join, relative } from 'node:path';
import type { StackState } from '@swissbrain/local-stack/state';
import { CliError } from './cli-error.ts';
import { connectStack, tokenClaims } from './connection.ts';
import { processContext } from './context.ts';
import { developmentUser } from './development-user.ts';
import { exitCodes } from './exit-codes.ts';
import { runBody } from './run-body.ts';
import { runSession } from './view/run-session.ts';
import { createScreen } from './view/screen.ts';

export interface DemoOptions {
  /** The checkout. */
  readonly root: string;
  readonly stack: StackState;
  readonly signal: AbortSignal;
}

const playbook = join('examples', 'seattle-weather.yaml');

/**
 * Runs the Seattle weather playbook as the development user and shows it: steps, events and credits as they
 * happen, then the artifacts' paths and the balance before, held, consumed, released and after.
 * @throws CliError when the run does not complete, and what a session throws
 */
export async function runDemo({ root, stack, signal }: DemoOptions): Promise<void> {
  const context = processContext(signal);
  const { style, clock, environment } = context;
  const screen = createScreen(context.stdout);
  screen.print('');
  screen.print(`${style.bold('demo')} ${style.dim(`swissbrain run ${playbook}`)}`);
  const body = await runBody({ file: playbook, inputs: [] }, { directory: root, root });
  const { watched } = await runSession(body, {
    connection: connectStack(stack, await developmentUser(stack.data_dir), tokenClaims(environment)),
    environment,
    screen,
    style,
    clock,
    signal,
    outputRoot: relative(process.cwd(), join(stack.data_dir, 'output')),
  });
  if (watched.run.status !== 'completed') {
    throw new CliError(
      `the run ended ${watched.run.status}: ${watched.run.error?.message ?? 'no reason given'}`,
      {
        exitCode: exitCodes.unsuccessful,
      },
    );
  }
}
