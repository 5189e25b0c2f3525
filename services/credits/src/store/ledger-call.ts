import type { Tx } from '@swissbrain/service-kit/database';
import { wakeRelay } from '@swissbrain/service-kit/outbox';
import { currentTraceparent } from '@swissbrain/service-kit/trace-context';
import { type RawBuilder, sql } from 'kysely';

/**
 * Calls a function of the ledger. The events it appends carry the trace of the caller, and the relay is woken
 * once the transaction has committed.
 */
export async function callLedger<Row>(tx: Tx, call: RawBuilder<Row>): Promise<Row[]> {
  wakeRelay(tx);
  // Both are sent at once; the setting is the default of the outbox's column.
  const [, { rows }] = await Promise.all([
    sql`SELECT set_config('sb.traceparent', ${currentTraceparent() ?? ''}, true)`.execute(tx),
    call.execute(tx),
  ]);
  return rows;
}

/** {@link callLedger} for functions that answer with one row. */
export async function callLedgerOnce<Row>(tx: Tx, call: RawBuilder<Row>): Promise<Row> {
  const [row] = await callLedger(tx, call);
  if (!row) throw new Error('a function of the ledger answered with no row');
  return row;
}
