import type { Tx } from '@swissbrain/service-kit/database';
import type { UserSubscriptionsTable } from '@swissbrain/shared-schema/db/credits';
import type { UserId } from '@swissbrain/shared-schema/ids';
import { type Selectable, sql } from 'kysely';
import { callLedgerOnce } from './ledger-call.ts';

export type SubscriptionRow = Pick<
  Selectable<UserSubscriptionsTable>,
  | 'tier_code'
  | 'next_tier_code'
  | 'status'
  | 'time_zone'
  | 'current_period_start'
  | 'current_period_end'
  | 'external_ref'
>;

/** The live subscription of a user. */
export async function findSubscription(tx: Tx, userId: UserId): Promise<SubscriptionRow | undefined> {
  const { rows } = await sql<SubscriptionRow>`
    SELECT tier_code, next_tier_code, status, time_zone, current_period_start, current_period_end, external_ref
    FROM public.user_subscriptions WHERE user_id = ${userId}::uuid AND status <> 'ended'`.execute(tx);
  return rows[0];
}

/** Sets the zone in which months are counted; false when it was this one already. */
export async function setTimeZone(
  tx: Tx,
  { userId, timeZone }: { userId: UserId; timeZone: string },
): Promise<boolean> {
  const { changed } = await callLedgerOnce(
    tx,
    sql<{ changed: boolean }>`SELECT public.set_time_zone(${userId}::uuid, ${timeZone}) AS changed`,
  );
  return changed;
}

/** Changes a tier as far as users may by themselves; true when the same was asked for before under this key. */
export async function chooseTier(
  tx: Tx,
  { userId, tier, key }: { userId: UserId; tier: string; key: string },
): Promise<boolean> {
  const { status } = await callLedgerOnce(
    tx,
    sql<{ status: string }>`SELECT status FROM public.choose_tier(${userId}::uuid, ${tier}, ${key})`,
  );
  return status === 'replayed';
}
