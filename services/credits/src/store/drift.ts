import type { Tx } from '@swissbrain/service-kit/database';
import type { ReservationId, RunId, UserId } from '@swissbrain/shared-schema/ids';
import { sql } from 'kysely';

/** An account that was looked at, with what of it does not hold; null where all does. */
export interface VerifiedAccount {
  readonly user_id: UserId;
  readonly invariant: string | null;
  readonly expected: string | null;
  readonly found: string | null;
  readonly transaction_id: string | null;
}

/** Recomputes up to `limit` accounts after one from their ledgers; a row per account and thing that does not hold. */
export async function verifyAccounts(
  tx: Tx,
  { after, limit }: { readonly after: string; readonly limit: number },
): Promise<VerifiedAccount[]> {
  const { rows } = await sql<VerifiedAccount>`
    WITH account AS MATERIALIZED (
      SELECT user_id FROM public.credit_balances WHERE user_id > ${after}::uuid ORDER BY user_id LIMIT ${limit}
    )
    SELECT account.user_id, v.invariant, v.expected::text, v.found::text, v.transaction_id
    FROM account
    LEFT JOIN public.verify_accounts(ARRAY(SELECT user_id FROM account)) WITH ORDINALITY v ON v.user_id = account.user_id
    ORDER BY account.user_id, v.ordinality`.execute(tx);
  return rows;
}

/** A hold to be compared with its run. */
export interface ComparedHold {
  readonly id: ReservationId;
  readonly user_id: UserId;
  readonly run_id: RunId;
  readonly state: 'waiting' | 'active' | 'settled' | 'expired' | 'denied';
  /** Whether the end of the run has been heard of. */
  readonly closing: boolean;
  /** Steps of the run itself, not of what is below it. */
  readonly recorded_steps: number;
}

/**
 * Up to `limit` holds after one: those that are open and those that ended within the last `recentSeconds`, unless
 * they were made or ended so recently that an event about it may be on its way.
 */
export async function selectHoldsToCompare(
  tx: Tx,
  options: { after: string; limit: number; graceSeconds: number; recentSeconds: number },
): Promise<ComparedHold[]> {
  const { after, limit, graceSeconds, recentSeconds } = options;
  const { rows } = await sql<ComparedHold>`
    SELECT r.id, r.user_id, r.run_id, r.state, r.closing_event IS NOT NULL AS closing,
           (SELECT count(DISTINCT t.step_id)::int FROM public.credit_transactions t
            WHERE t.reservation_id = r.id AND t.kind = 'consume' AND t.run_id = r.run_id
              AND t.created_at >= r.created_at) AS recorded_steps
    FROM public.credit_reservations r
    WHERE r.id > ${after}::uuid AND r.purpose = 'run'
      AND r.created_at < clock_timestamp() - make_interval(secs => ${graceSeconds})
      AND (r.state IN ('waiting', 'active')
           OR r.closed_at BETWEEN clock_timestamp() - make_interval(secs => ${recentSeconds})
                              AND clock_timestamp() - make_interval(secs => ${graceSeconds}))
    ORDER BY r.id
    LIMIT ${limit}`.execute(tx);
  return rows;
}
