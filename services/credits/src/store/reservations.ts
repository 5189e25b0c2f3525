import type { CursorPosition } from '@swissbrain/service-kit/cursor';
import type { Tx } from '@swissbrain/service-kit/database';
import type { CreditReservationsTable } from '@swissbrain/shared-schema/db/credits';
import type { RunId, UserId } from '@swissbrain/shared-schema/ids';
import { type Selectable, sql } from 'kysely';

const columns = [
  'id',
  'run_id',
  'state',
  'requested_micro',
  'budget_micro',
  'held_micro',
  'consumed_micro',
  'released_micro',
  'late_micro',
  'written_off_micro',
  'price_as_of',
  'expires_at',
  'closed_at',
  'close_reason',
  'created_at',
] as const;
const selected = sql`${sql.join(columns.map((column) => sql.ref(column)))}, created_at::text AS position`;

/** A reservation as its row holds it. */
export interface ReservationRow extends Pick<Selectable<CreditReservationsTable>, (typeof columns)[number]> {
  /** `created_at` to the microsecond, for the cursor. */
  readonly position: string;
}

export interface ReservationFilter {
  readonly userId: UserId;
  readonly runId: RunId | undefined;
  readonly after: CursorPosition | undefined;
  readonly limit: number;
}

/** Up to `limit` of a user's reservations after a position, newest first. */
export async function selectReservations(tx: Tx, filter: ReservationFilter): Promise<ReservationRow[]> {
  const { userId, runId, after, limit } = filter;
  const ofRun = runId ? sql`AND run_id = ${runId}::uuid` : sql``;
  const onward = after
    ? sql`AND (created_at, id) < (${after.createdAt}::timestamptz, ${after.id}::uuid)`
    : sql``;
  const { rows } = await sql<ReservationRow>`
    SELECT ${selected}
    FROM public.credit_reservations
    WHERE user_id = ${userId}::uuid ${ofRun} ${onward}
    ORDER BY created_at DESC, id DESC
    LIMIT ${limit}`.execute(tx);
  return rows;
}
