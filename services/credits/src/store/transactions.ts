import type { CursorPosition } from '@swissbrain/service-kit/cursor';
import type { Tx } from '@swissbrain/service-kit/database';
import type { CreditTransactionsTable } from '@swissbrain/shared-schema/db/credits';
import type { UserId } from '@swissbrain/shared-schema/ids';
import { type Selectable, sql } from 'kysely';

const columns = [
  'id',
  'kind',
  'amount_micro',
  'hold_micro',
  'available_after_micro',
  'hold_left_micro',
  'reservation_id',
  'run_id',
  'step_id',
  'operation',
  'quantity',
  'cost_micro',
  'cause',
  'occurred_at',
  'created_at',
] as const;
const selected = sql`${sql.join(columns.map((column) => sql.ref(column)))}, created_at::text AS position`;

/** An entry of the ledger as its row holds it. */
export interface TransactionRow extends Pick<Selectable<CreditTransactionsTable>, (typeof columns)[number]> {
  /** `created_at` to the microsecond, for the cursor. */
  readonly position: string;
}

export interface TransactionFilter {
  readonly userId: UserId;
  readonly after: CursorPosition | undefined;
  readonly limit: number;
}

/** Up to `limit` of a user's ledger entries after a position, newest first. */
export async function selectTransactions(tx: Tx, filter: TransactionFilter): Promise<TransactionRow[]> {
  const { userId, after, limit } = filter;
  const onward = after
    ? sql`AND (created_at, id) < (${after.createdAt}::timestamptz, ${after.id}::uuid)`
    : sql``;
  const { rows } = await sql<TransactionRow>`
    SELECT ${selected}
    FROM public.credit_transactions
    WHERE user_id = ${userId}::uuid ${onward}
    ORDER BY created_at DESC, id DESC
    LIMIT ${limit}`.execute(tx);
  return rows;
}
