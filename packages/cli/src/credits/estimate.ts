import { resolve } from 'node:path';
import type { EstimateBody, EstimateView } from '@swissbrain/client/types';
import { CliError } from '../cli-error.ts';
import { type AddCommand, wholeNumber, writeJson, writeLines } from '../command.ts';
import { connect } from '../connection.ts';
import type { Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { formatTable } from '../format.ts';
import { readPlaybook } from '../playbook.ts';

interface Options {
  readonly goal?: string;
  readonly research?: number;
  readonly budget?: string;
  readonly json?: boolean;
}

/** `swissbrain credits estimate`: what work would cost, before it is started. */
export const addEstimate: AddCommand = (credits, context) => {
  credits
    .command('estimate')
    .description('what a run or a research would cost, and whether it would start; starts nothing')
    .argument('[playbook]', 'a file with a playbook')
    .option('--goal <text>', 'a goal in place of a playbook')
    .option('--research <items>', 'a research of so many items', wholeNumber)
    .option('--budget <credits>', 'the most it may cost')
    .option('--json', 'as JSON')
    .action((file: string | undefined, options: Options) => execute(file, options, context));
};

async function execute(file: string | undefined, options: Options, context: Context): Promise<void> {
  const body = await bodyOf(file, options, context);
  const { client } = await connect(context);
  const estimate = await client.credits.estimate(body, { signal: context.signal });
  if (options.json) writeJson(context, estimate);
  else writeLines(context, render(estimate, context));
  if (!estimate.allowed) context.setExitCode(exitCodes.unsuccessful);
}

async function bodyOf(file: string | undefined, options: Options, context: Context): Promise<EstimateBody> {
  const { goal, research, budget } = options;
  if ([file, goal, research].filter((given) => given !== undefined).length !== 1)
    throw new CliError('name a playbook, or give one of --goal and --research');
  return {
    ...(file === undefined
      ? {}
      : { playbook: (await readPlaybook(resolve(context.directory, file))).document }),
    ...(goal === undefined ? {} : { goal }),
    ...(research === undefined ? {} : { research: { items: research } }),
    ...(budget === undefined ? {} : { budget }),
  };
}

function render(estimate: EstimateView, { style }: Context): string[] {
  const { lines, low, likely, worst, hold, allowed, reason, waits, available, parallel_items } = estimate;
  const verdict = allowed
    ? style.green(waits ? 'would start, after waiting for a slot' : 'would start')
    : style.red(
        reason === 'insufficient' ? 'would be denied: too few credits' : 'would be denied: no subscription',
      );
  return [
    ...formatTable(
      lines.map(({ operation, quantity, cost }) => [operation, quantity, `${cost} credits`]),
      { indent: '  ', right: [1, 2] },
    ),
    `at most ${worst ?? 'unbounded: give it a budget'}${likely === null ? '' : `, likely ${low ?? '0'} to ${likely}`}`,
    `${verdict}${hold === null ? '' : `, holding ${hold}`} of ${available ?? 'unlimited'} available`,
    ...(parallel_items === null ? [] : [`${parallel_items} items at a time`]),
  ];
}
