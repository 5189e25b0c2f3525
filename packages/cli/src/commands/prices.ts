import { type AddCommand, wholeNumber, writeJson, writeLines } from '../command.ts';
import type { Context } from '../context.ts';
import { type ChangeOptions, change, changing, creditOperators } from '../credits/operate.ts';
import { formatMoment, formatTable } from '../format.ts';

interface ListOptions {
  readonly operation?: string;
  readonly limit?: number;
  readonly cursor?: string;
  readonly json?: boolean;
}
interface SetOptions extends ChangeOptions {
  readonly per: number;
  readonly from: string;
  readonly unit?: string;
  readonly description?: string;
}

/** `swissbrain prices`: what operations cost, and will. For operators. */
export const addPrices: AddCommand = (program, context) => {
  const prices = program
    .command('prices')
    .description('list and version what operations cost (for operators)');
  prices
    .command('list')
    .description('prices of all times, newest first')
    .option('--operation <name>', 'of this operation alone')
    .option('-n, --limit <number>', 'at most this many, up to 100', wholeNumber)
    .option('--cursor <cursor>', 'the next page, as the one before it says')
    .option('--json', 'the page as JSON')
    .action((options: ListOptions) => list(options, context));
  changing(prices.command('set'))
    .description('another price from a moment in the future on; holds made before keep theirs')
    .argument('<operation>')
    .argument('<credits>', 'for --per units')
    .option('--per <units>', 'so many units', wholeNumber, 1)
    .requiredOption('--from <time>', 'first moment of the price: 2026-12-31T00:00:00Z')
    .option('--unit <name>', 'needed for the first price of an operation')
    .option('--description <text>', 'needed for the first price of an operation')
    .action((operation: string, price: string, options: SetOptions) => {
      const { per, from, unit, description, reason } = options;
      const body = {
        ...{ operation, price, per_quantity: per, effective_from: from, reason },
        ...(unit === undefined ? {} : { unit }),
        ...(description === undefined ? {} : { description }),
      };
      return change(context, options, (operators, call) => operators.versionPrice(body, call));
    });
};

async function list({ json, ...query }: ListOptions, context: Context): Promise<void> {
  const operators = await creditOperators(context);
  const page = await operators.prices(query, { signal: context.signal });
  if (json) {
    writeJson(context, page);
    return;
  }
  const rows = page.items.map((price) => [
    ...[
      price.operation,
      `version ${price.version}`,
      `${price.price} for ${price.per_quantity} ${price.unit}`,
    ],
    `from ${formatMoment(price.valid_from)}`,
    price.valid_to === null ? '' : `to ${formatMoment(price.valid_to)}`,
  ]);
  writeLines(context, formatTable(rows));
  if (page.next_cursor !== null)
    writeLines(context, [context.style.dim(`more: the same with --cursor ${page.next_cursor}`)]);
}
