import { resolve } from 'node:path';
import { type AddCommand, wholeNumber, writeJson } from '../command.ts';
import { connect, dataDirOf } from '../connection.ts';
import type { Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { followSession } from '../view/run-session.ts';
import { createScreen } from '../view/screen.ts';
import { stillRunning } from './run.ts';

interface Options {
  readonly after?: number;
  readonly output?: string;
  readonly json?: boolean;
}

/** `swissbrain follow`: shows a run that was started elsewhere. */
export const addFollow: AddCommand = (program, context) => {
  program
    .command('follow')
    .description('show a run from its beginning to its end; a dropped connection is taken up where it broke')
    .argument('<run>', "the run's id")
    .option('-o, --output <directory>', 'where artifacts are saved, in a directory named by the run')
    .option('--after <number>', 'with --json: begin after this event (its run_seq)', wholeNumber)
    .option('--json', "print the run's events as JSON lines and nothing else")
    .action((runId: string, options: Options) => execute(runId, options, context));
};

async function execute(runId: string, options: Options, context: Context): Promise<void> {
  const connection = await connect(context);
  const { client } = connection;
  const { signal, clock, style } = context;
  try {
    if (options.json) {
      for await (const event of client.runs.follow(runId, { after: options.after ?? 0, signal })) {
        writeJson(context, event);
      }
      reportOutcome(context, (await client.runs.get(runId, { signal })).status);
      return;
    }
    const screen = createScreen(context.stdout);
    const session = await followSession(runId, null, {
      connection,
      environment: context.environment,
      screen,
      style,
      clock,
      signal,
      outputRoot: options.output
        ? resolve(context.directory, options.output)
        : `${dataDirOf(context)}/output`,
    });
    reportOutcome(context, session.watched.run.status);
  } catch (error) {
    throw signal.aborted ? stillRunning(runId) : error;
  }
}

function reportOutcome(context: Context, status: string): void {
  if (status !== 'completed') context.setExitCode(exitCodes.unsuccessful);
}
