import type { TransactionView } from '@swissbrain/client/types';
import { formatMoment, formatTable } from '../format.ts';
import type { Style } from '../style.ts';

/** Entries of the ledger as lines for people. */
export function renderLedger(entries: readonly TransactionView[], style: Style): string[] {
  const rows = entries.map((entry) => [
    formatMoment(entry.occurred_at),
    entry.kind,
    signed(entry.amount),
    entry.hold === '0' ? '' : `${signed(entry.hold)} held`,
    entry.available_after === null ? '' : `${entry.available_after} left`,
    style.dim(entry.operation ?? entry.cause),
  ]);
  return formatTable(rows, { indent: '  ', right: [2, 3, 4] });
}

function signed(amount: string): string {
  return amount.startsWith('-') || amount === '0' ? amount : `+${amount}`;
}
