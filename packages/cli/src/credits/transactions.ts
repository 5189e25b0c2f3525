import { type AddCommand, wholeNumber, writeJson, writeLines } from '../command.ts';
import { connect } from '../connection.ts';
import type { Context } from '../context.ts';
import { renderLedger } from './render-ledger.ts';

interface Options {
  readonly limit: number;
  readonly cursor?: string;
  readonly json?: boolean;
}

/** `swissbrain credits transactions`: the ledger, page by page. */
export const addTransactions: AddCommand = (credits, context) => {
  credits
    .command('transactions')
    .description('the entries of the ledger, newest first')
    .option('-n, --limit <number>', 'at most this many, up to 100', wholeNumber, 25)
    .option('--cursor <cursor>', 'the next page, as the one before it says')
    .option('--json', 'the page as JSON')
    .action((options: Options) => execute(options, context));
};

async function execute({ limit, cursor, json }: Options, context: Context): Promise<void> {
  const { client } = await connect(context);
  const page = await client.credits.transactions({ limit, cursor }, { signal: context.signal });
  if (json) {
    writeJson(context, page);
    return;
  }
  writeLines(context, page.items.length === 0 ? ['No entries.'] : renderLedger(page.items, context.style));
  if (page.next_cursor !== null) {
    const more = `more: swissbrain credits transactions --limit ${limit} --cursor ${page.next_cursor}`;
    writeLines(context, [context.style.dim(more)]);
  }
}
