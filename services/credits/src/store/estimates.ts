import type { Tx } from '@swissbrain/service-kit/database';
import type { MicroCredits } from '@swissbrain/shared-schema/amount';
import type { UserId } from '@swissbrain/shared-schema/ids';
import { sql } from 'kysely';

export interface RoomRow {
  readonly tier_code: string | null;
  /** Null where there is no limit. */
  readonly available: MicroCredits | null;
  readonly max_concurrent_runs: number | null;
  readonly max_parallel_items: number | null;
  readonly live_runs: number;
}

/** What an account has room for now; undefined before it is opened. */
export async function findRoom(tx: Tx, userId: UserId): Promise<RoomRow | undefined> {
  const { rows } = await sql<RoomRow>`
    SELECT s.tier_code, t.max_concurrent_runs, t.max_parallel_items,
           CASE WHEN b.overdraft_limit_micro IS NOT NULL
                THEN b.credited_micro - b.debited_micro - b.reserved_micro END AS available,
           (SELECT count(*)::int FROM public.credit_reservations r
            WHERE r.user_id = b.user_id AND r.state = 'active' AND r.purpose = 'run' AND r.expires_at > clock_timestamp()) AS live_runs
    FROM public.credit_balances b
    LEFT JOIN public.user_subscriptions s ON s.user_id = b.user_id AND s.status <> 'ended'
    LEFT JOIN public.subscription_tiers t ON t.code = s.tier_code
    WHERE b.user_id = ${userId}::uuid`.execute(tx);
  return rows[0];
}

interface UsedShareRow {
  readonly runs: number;
  readonly tenth: bigint;
  readonly half: bigint;
}

/** What the last fifty settled runs of a user used of each million they had asked for. */
export async function selectUsedShare(tx: Tx, userId: UserId): Promise<UsedShareRow> {
  const { rows } = await sql<UsedShareRow>`
    SELECT count(*)::int AS runs, coalesce(percentile_disc(0.1) WITHIN GROUP (ORDER BY share), 0) AS tenth,
           coalesce(percentile_disc(0.5) WITHIN GROUP (ORDER BY share), 0) AS half
    FROM (
      SELECT least((consumed_micro + late_micro)::numeric * 1000000 / requested_micro, 1000000000)::bigint AS share
      FROM public.credit_reservations WHERE user_id = ${userId}::uuid AND state = 'settled' AND purpose = 'run'
      ORDER BY created_at DESC, id DESC LIMIT 50
    ) lately`.execute(tx);
  return rows[0] ?? { runs: 0, tenth: 0n, half: 0n };
}
