import { Command, CommanderError } from 'commander';
import { addAccounts } from './commands/accounts.ts';
import { addArtifacts } from './commands/artifacts.ts';
import { addControl, addForks } from './commands/control.ts';
import { addCredits } from './commands/credits.ts';
import { addDlq } from './commands/dlq.ts';
import { addDoctor } from './commands/doctor.ts';
import { addFollow } from './commands/follow.ts';
import { addPrices } from './commands/prices.ts';
import { addQuestions } from './commands/questions.ts';
import { addRun } from './commands/run.ts';
import { addRuns } from './commands/runs.ts';
import { addTap } from './commands/tap.ts';
import { addToken } from './commands/token.ts';
import { addTools } from './commands/tools.ts';
import type { Context } from './context.ts';
import { exitCodes } from './exit-codes.ts';
import { failureOf, renderFailure } from './failure.ts';

const commands = [
  addRun,
  addFollow,
  addRuns,
  addControl,
  addForks,
  addQuestions,
  addTools,
  addArtifacts,
  addCredits,
  addTap,
  addDlq,
  addAccounts,
  addPrices,
  addToken,
  addDoctor,
];

const notes = `
Without SWISSBRAIN_URL and SWISSBRAIN_TOKEN the local stack of this checkout is used (npm start).

Exit status: 0 success, 1 the run did not complete or something looked at is not as it should be, 2 wrong usage,
3 not reachable, 4 refused by the API, 5 failure, 130 interrupted.`;

/** Runs one command line. Every failure is shown on standard error; the result is the exit status. */
export async function runCli(args: readonly string[], context: Context): Promise<number> {
  const program = new Command('swissbrain')
    .description('Run agents on SwissBrain and look at what they do')
    .addHelpText('after', notes)
    // What follows the name of a command is that command's, also below commands that have options of their own.
    .enablePositionalOptions()
    .showHelpAfterError('(add --help for the ways to use it)')
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      writeErr: (text) => context.stderr.write(text),
      getOutHelpWidth: () => Math.min(context.stdout.columns, 110),
    })
    .exitOverride();
  for (const add of commands) add(program, context);
  try {
    await program.parseAsync([...args], { from: 'user' });
    return context.exitCode();
  } catch (error) {
    // commander has already said what is wrong with the command line, or has printed the help asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.success : exitCodes.usage;
    const failure = failureOf(error);
    if (context.signal.aborted && failure.exitCode !== exitCodes.interrupted) return exitCodes.interrupted;
    context.stderr.write(renderFailure(failure, context.errorStyle));
    return failure.exitCode;
  }
}
