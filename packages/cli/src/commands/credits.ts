import type { BalanceView, ReservationView } from '@swissbrain/client/types';
import { isClosed } from '@swissbrain/client/types';
import { type AddCommand, wholeNumber, writeJson, writeLines } from '../command.ts';
import { connect } from '../connection.ts';
import type { Context } from '../context.ts';
import { addEstimate } from '../credits/estimate.ts';
import { renderLedger } from '../credits/render-ledger.ts';
import { addTransactions } from '../credits/transactions.ts';
import { addUsage } from '../credits/usage.ts';
import { formatMoment, formatTable } from '../format.ts';
import type { Style } from '../style.ts';

interface Options {
  readonly limit: number;
  readonly json?: boolean;
}

/** `swissbrain credits`: the balance, what is held, and the newest entries of the ledger; below it usage and estimates. */
export const addCredits: AddCommand = (program, context) => {
  const credits = program
    .command('credits')
    .description('show the balance, what is held for runs, and the newest entries of the ledger')
    .enablePositionalOptions()
    .option('-n, --limit <number>', 'so many entries, up to 100', wholeNumber, 10)
    .option('--json', 'everything as JSON')
    .action((options: Options) => execute(options, context));
  addTransactions(credits, context);
  addUsage(credits, context);
  addEstimate(credits, context);
};

async function execute({ limit, json }: Options, context: Context): Promise<void> {
  const { client } = await connect(context);
  const call = { signal: context.signal };
  const [balance, reservations, transactions] = await Promise.all([
    client.credits.balance(call),
    client.credits.reservations({ limit: 100 }, call),
    client.credits.transactions({ limit }, call),
  ]);
  const held = reservations.items.filter((reservation) => !isClosed(reservation));
  if (json) {
    writeJson(context, { balance, held, transactions: transactions.items });
    return;
  }
  const { style } = context;
  writeLines(context, [
    ...renderBalance(balance, style),
    ...renderHeld(held, style),
    ...(transactions.items.length === 0 ? [] : ['', style.bold('ledger')]),
    ...renderLedger(transactions.items, style),
  ]);
}

function renderBalance(balance: BalanceView, style: Style): string[] {
  if (!balance.granted) return ['The account is being opened: the first grant is on its way.'];
  const until = balance.period_end === null ? '' : `, until ${formatMoment(balance.period_end)}`;
  const available = balance.unlimited ? 'unlimited' : (balance.available ?? '0');
  return [
    `${style.bold(available)} credits available, ${balance.reserved} held  ${style.dim(`${balance.tier ?? 'no subscription'}${until}`)}`,
  ];
}

function renderHeld(held: readonly ReservationView[], style: Style): string[] {
  if (held.length === 0) return [];
  const rows = held.map((reservation) => [
    reservation.run_id,
    reservation.status,
    `${reservation.held} held`,
    `${reservation.consumed} consumed`,
  ]);
  return ['', style.bold('held'), ...formatTable(rows, { indent: '  ' })];
}
