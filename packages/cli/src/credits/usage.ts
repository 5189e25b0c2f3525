import type { UsageItem, UsagePage } from '@swissbrain/client/types';
import { Option } from 'commander';
import { CliError } from '../cli-error.ts';
import { type AddCommand, wholeNumber, writeJson, writeLines } from '../command.ts';
import { connect } from '../connection.ts';
import type { Context } from '../context.ts';
import { formatMoment, formatTable } from '../format.ts';

interface Options {
  readonly by?: UsagePage['group_by'];
  readonly from?: string;
  readonly to?: string;
  readonly timeZone?: string;
  readonly limit?: number;
  readonly cursor?: string;
  readonly csv?: boolean;
  readonly json?: boolean;
}

/** `swissbrain credits usage`: what was used, added up, or every entry of it as CSV. */
export const addUsage: AddCommand = (credits, context) => {
  credits
    .command('usage')
    .description('what was used, by day, tool, model or run; of the last 30 days unless said otherwise')
    .addOption(
      new Option('--by <group>', 'added up by (default: day)').choices(['day', 'tool', 'model', 'run']),
    )
    .option('--from <time>', 'from then on: 2026-01-31T00:00:00Z, or a day in UTC', momentOf)
    .option('--to <time>', 'until just before then', momentOf)
    .option('--time-zone <zone>', 'whose days, by its IANA name; that of the subscription if left out')
    .option('-n, --limit <number>', 'at most this many, up to 100', wholeNumber)
    .option('--cursor <cursor>', 'the next page, as the one before it says')
    .option('--csv', 'every entry as CSV')
    .option('--json', 'the page as JSON')
    .action((options: Options) => execute(options, context));
};

/** A day stands for its first moment. */
function momentOf(text: string): string {
  return /^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text;
}

async function execute(options: Options, context: Context): Promise<void> {
  const { by, limit, cursor, csv, json, ...range } = options;
  if (csv && (json || by !== undefined || cursor !== undefined || limit !== undefined))
    throw new CliError('--csv has every entry, and goes with --from, --to and --time-zone alone');
  const { client } = await connect(context);
  const call = { signal: context.signal };
  if (csv) {
    for await (const part of client.credits.exportUsage(range, call)) context.stdout.write(part);
    return;
  }
  const page = await client.credits.usage({ ...range, groupBy: by, limit, cursor }, call);
  if (json) writeJson(context, page);
  else writeLines(context, render(page, context));
}

function render(
  { items, group_by, from, to, next_cursor, time_zone }: UsagePage,
  { style }: Context,
): string[] {
  const span = style.dim(
    `by ${group_by}, ${formatMoment(from)} to ${formatMoment(to)}, days in ${time_zone}`,
  );
  if (items.length === 0) return [`Nothing was used.  ${span}`];
  const more = next_cursor === null ? [] : [style.dim(`more: the same with --cursor ${next_cursor}`)];
  return [span, ...formatTable(items.map(rowOf), { indent: '  ', right: [1, 2] }), ...more];
}

function rowOf({ key, cost, charged, entries, input_tokens, output_tokens }: UsageItem): string[] {
  const tokens = input_tokens === null ? '' : `${input_tokens} tokens in, ${output_tokens ?? '0'} out`;
  const less = charged === cost ? '' : `${charged} charged`;
  return [key, `${cost} credits`, `${entries} ${entries === 1 ? 'entry' : 'entries'}`, tokens, less];
}
