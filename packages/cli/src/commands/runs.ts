import type { RunStatus, RunView } from '@swissbrain/client/types';
import { runStatus } from '@swissbrain/shared-schema/http/agent-runner';
import { Option } from 'commander';
import { type AddCommand, wholeNumber, writeJson, writeLines } from '../command.ts';
import { connect } from '../connection.ts';
import type { Context } from '../context.ts';
import { formatDuration, formatMoment, formatTable } from '../format.ts';
import type { Style } from '../style.ts';

interface Options {
  readonly limit?: number;
  readonly cursor?: string;
  readonly status?: RunStatus;
  readonly json?: boolean;
}

/** `swissbrain runs`: the user's runs, newest first. */
export const addRuns: AddCommand = (program, context) => {
  program
    .command('runs')
    .description('list runs, newest first')
    .option('-n, --limit <number>', 'at most this many, up to 100', wholeNumber)
    .option('--cursor <cursor>', 'the next page, as the one before it says')
    .addOption(new Option('--status <status>', 'only runs in this state').choices(runStatus.options))
    .option('--json', 'the page as JSON')
    .action((options: Options) => execute(options, context));
};

async function execute({ limit, cursor, status, json }: Options, context: Context): Promise<void> {
  const { client } = await connect(context);
  const page = await client.runs.list({ limit, cursor, status }, { signal: context.signal });
  if (json) {
    writeJson(context, page);
    return;
  }
  if (page.items.length === 0) {
    writeLines(context, ['No runs yet. Try: swissbrain run examples/seattle-weather.yaml']);
    return;
  }
  const rows = page.items.map((run) => rowOf(run, context.style));
  writeLines(context, formatTable(rows, { right: [4, 5] }));
  if (page.next_cursor !== null)
    writeLines(context, [context.style.dim(`more: swissbrain runs --cursor ${page.next_cursor}`)]);
}

function rowOf(run: RunView, style: Style): string[] {
  const painted: Partial<Record<RunStatus, string>> = {
    completed: style.green(run.status),
    failed: style.red(run.status),
    timed_out: style.red(run.status),
    cancelled: style.yellow(run.status),
  };
  const took =
    run.started_at === null || run.finished_at === null
      ? ''
      : formatDuration(Date.parse(run.finished_at) - Date.parse(run.started_at));
  return [
    run.id,
    formatMoment(run.created_at),
    painted[run.status] ?? run.status,
    `${run.steps.completed}/${run.steps.total} steps`,
    took,
    run.credits.consumed,
    run.title,
  ];
}
