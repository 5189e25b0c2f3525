import type { BalanceView, ReservationView, TransactionView } from '@swissbrain/client/types';
import { isClosed } from '@swissbrain/client/types';
import { type AddCommand, wholeNumber, writeJson, writeLines } from '../command.ts';
import { connect } from '../connection.ts';
import type { Context } from '../context.ts';
import { formatMoment, formatTable } from '../format.ts';
import type { Style } from '../style.ts';

interface Options {
  readonly limit: number;
  readonly json?: boolean;
}

/** `swissbrain credits`: the balance, what is held, and the newest entries of the ledger. */
export const addCredits: AddCommand = (program, context) => {
  program
    .command('credits')
    .description('show the balance, what is held for runs, and the newest entries of the ledger')
    .option('-n, --limit <number>', 'so many entries, up to 100', wholeNumber, 10)
    .option('--json', 'everything as JSON')
    .action((options: Options) => execute(options, context));
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

function renderLedger(entries: readonly TransactionView[], style: Style): string[] {
  if (entries.length === 0) return [];
  const rows = entries.map((entry) => [
    formatMoment(entry.occurred_at),
    entry.kind,
    signed(entry.amount),
    entry.hold === '0' ? '' : `${signed(entry.hold)} held`,
    entry.available_after === null ? '' : `${entry.available_after} left`,
    style.dim(entry.operation ?? entry.cause),
  ]);
  return ['', style.bold('ledger'), ...formatTable(rows, { indent: '  ', right: [2, 3, 4] })];
}

function signed(amount: string): string {
  return amount.startsWith('-') || amount === '0' ? amount : `+${amount}`;
}
