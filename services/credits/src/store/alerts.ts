import type { Tx } from '@swissbrain/service-kit/database';
import type { UserId } from '@swissbrain/shared-schema/ids';
import { sql } from 'kysely';
import { callLedgerOnce } from './ledger-call.ts';

export interface AlertsRow {
  /** Null where the tier's hold. */
  readonly own: string[] | null;
  readonly of_tier: string[] | null;
  readonly crossed: string[];
}

/** The thresholds of an account; undefined before it is opened. */
export async function findAlerts(tx: Tx, userId: UserId): Promise<AlertsRow | undefined> {
  const { rows } = await sql<AlertsRow>`
    SELECT b.low_thresholds AS own, t.low_thresholds AS of_tier, b.low_told AS crossed
    FROM public.credit_balances b
    LEFT JOIN public.user_subscriptions s ON s.user_id = b.user_id AND s.status <> 'ended'
    LEFT JOIN public.subscription_tiers t ON t.code = s.tier_code
    WHERE b.user_id = ${userId}::uuid`.execute(tx);
  return rows[0];
}

/** Sets a user's own thresholds; null goes back to the tier's. Those that are crossed now are told. */
export async function setThresholds(
  tx: Tx,
  userId: UserId,
  thresholds: readonly string[] | null,
): Promise<void> {
  await callLedgerOnce(tx, sql`SELECT public.set_low_thresholds(${userId}::uuid, ${thresholds}::text[])`);
}
