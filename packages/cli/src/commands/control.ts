import { resolve } from 'node:path';
import { bodyOf, given } from '@swissbrain/client/api';
import type { RunView } from '@swissbrain/client/types';
import type { Command } from 'commander';
import { type AddCommand, wholeNumber, writeJson, writeLines } from '../command.ts';
import { connect } from '../connection.ts';
import type { Context } from '../context.ts';
import { readPlaybook } from '../playbook.ts';

interface Options {
  readonly json?: boolean;
}
interface FromOptions extends Options {
  readonly from?: number;
}
interface EditOptions extends Options {
  readonly playbook?: string;
}

const withRun = (command: Command): Command =>
  command.argument('<run>', "the run's id").option('--json', 'the answer as JSON');

/** `swissbrain cancel|pause|resume <run>`: what can be asked of a run while it goes on. */
export const addControl: AddCommand = (program, context) => {
  const asks = {
    cancel: 'ask for the end of a run; what was finished stays and is paid for',
    pause: 'let a run rest after the steps under way; it keeps its place and its files',
    resume: 'let a paused run go on',
  } as const;
  for (const [name, description] of Object.entries(asks) as [keyof typeof asks, string][]) {
    withRun(program.command(name).description(description)).action(async (id: string, options: Options) => {
      const { client } = await connect(context);
      const call = { params: { path: { id } }, signal: context.signal };
      show(await bodyOf(client.api.agentRunner.POST(`/v1/runs/{id}/${name}`, call)), options, context);
    });
  }
};

/** `swissbrain retry|fork|replay <run>`: a run once more, from a step on, with edits, or on paper only. */
export const addForks: AddCommand = (program, context) => {
  withRun(
    program.command('retry').description('run once more from where it failed; what was done stays done'),
  )
    .option('--from <step>', 'from this step on, by its number', wholeNumber)
    .action(async (id: string, { from, ...options }: FromOptions) => {
      const { client } = await connect(context);
      const body = given({ from_step: from });
      const call = { params: { path: { id } }, body, signal: context.signal };
      show(await bodyOf(client.api.agentRunner.POST('/v1/runs/{id}/retry', call)), options, context);
    });
  withRun(program.command('fork').description('start a new run that takes over the results before a step'))
    .requiredOption('--from <step>', 'the first step that is done anew, by its number', wholeNumber)
    .option('--playbook <file>', 'the playbook with its edits (default: as it was)')
    .action(async (id: string, { from = 0, playbook, ...options }: FromOptions & EditOptions) => {
      const { client } = await connect(context);
      const body = { from_step: from, ...(await edited(playbook, context)) };
      const call = { params: { path: { id } }, body, signal: context.signal };
      show(await bodyOf(client.api.agentRunner.POST('/v1/runs/{id}/fork', call)), options, context);
    });
  program
    .command('replay')
    .description('say what a run would do otherwise, as JSON; no tool is called and nothing is paid')
    .argument('<run>', "the run's id")
    .option('--playbook <file>', 'the playbook with its edits (default: as it was)')
    .action(async (id: string, { playbook }: EditOptions) => {
      const { client } = await connect(context);
      const body = await edited(playbook, context);
      const call = { params: { path: { id } }, body, signal: context.signal };
      writeJson(context, await bodyOf(client.api.agentRunner.POST('/v1/runs/{id}/replay', call)));
    });
};

async function edited(file: string | undefined, context: Context) {
  if (file === undefined) return {};
  return { playbook: (await readPlaybook(resolve(context.directory, file))).document };
}

function show(run: RunView, { json }: Options, context: Context): void {
  if (json) writeJson(context, run);
  else writeLines(context, [`${run.id}  ${run.status}`]);
}
