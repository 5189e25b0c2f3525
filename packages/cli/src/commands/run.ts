import { resolve } from 'node:path';
import type { BalanceView } from '@swissbrain/client/types';
import { CliError } from '../cli-error.ts';
import { type AddCommand, collect, writeJson, writeLines } from '../command.ts';
import { connect, dataDirOf } from '../connection.ts';
import type { Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { runBody } from '../run-body.ts';
import { runSession, type Session } from '../view/run-session.ts';
import { createScreen } from '../view/screen.ts';

interface Options {
  readonly input?: readonly string[];
  readonly goal?: string;
  readonly title?: string;
  readonly mode?: string;
  readonly budget?: string;
  readonly detach?: boolean;
  readonly output?: string;
  readonly json?: boolean;
}

/** `swissbrain run`: starts a run and, unless detached, shows it to its end. */
export const addRun: AddCommand = (program, context) => {
  program
    .command('run')
    .description('start a run from a playbook or a goal and follow it to its end')
    .argument('[playbook]', 'a YAML file, for example examples/seattle-weather.yaml')
    .option('-i, --input <name=value>', 'an input of the playbook; for a file its path (repeatable)', collect)
    .option('-g, --goal <text>', 'let the model decide the steps; a file input is written name=@path')
    .option('--title <text>', 'how the run is called in lists')
    .option('--mode <mode>', 'what kind of work it is, for example data_analysis')
    .option('--budget <credits>', 'the most this run may spend')
    .option('-f, --follow', 'show the run until it has ended (the default)')
    .option('-d, --detach', 'only start the run and print its id')
    .option('-o, --output <directory>', 'where artifacts are saved, in a directory named by the run')
    .option('--json', 'print the result as JSON; the live view goes to standard error')
    .action((playbook: string | undefined, options: Options) => execute(playbook, options, context));
};

async function execute(file: string | undefined, options: Options, context: Context): Promise<void> {
  const connection = await connect(context);
  const body = await runBody({ ...options, file, inputs: options.input ?? [] }, context);
  if (options.detach) {
    const run = await connection.client.runs.create(body, { signal: context.signal });
    if (options.json) writeJson(context, run);
    else writeLines(context, [run.id]);
    return;
  }
  let runId: string | null = null;
  const session = await runSession(body, {
    connection,
    environment: context.environment,
    screen: createScreen(options.json ? context.stderr : context.stdout),
    style: options.json ? context.errorStyle : context.style,
    clock: context.clock,
    signal: context.signal,
    outputRoot: options.output ? resolve(context.directory, options.output) : `${dataDirOf(context)}/output`,
    onStarted: (id) => {
      runId = id;
    },
  }).catch((error: unknown) => {
    throw context.signal.aborted && runId !== null ? stillRunning(runId) : error;
  });
  if (options.json) writeJson(context, jsonOf(session));
  if (session.watched.run.status !== 'completed') context.setExitCode(exitCodes.unsuccessful);
}

/** Leaving the view does not end the run. */
export function stillRunning(runId: string): CliError {
  return new CliError(`no longer following; run ${runId} goes on`, {
    hint: `swissbrain follow ${runId}`,
    exitCode: exitCodes.interrupted,
  });
}

/** A session for another program: what the API says, and where the files are. */
function jsonOf({ watched, saved, before, after }: Session) {
  const credits = (balance: BalanceView | null) => balance?.available ?? null;
  return {
    run: watched.run,
    steps: watched.steps,
    reservation: watched.reservation,
    artifacts: saved.map(({ name, sizeBytes, path }) => ({ name, size_bytes: sizeBytes, path })),
    credits: { before: credits(before), after: credits(after) },
  };
}
