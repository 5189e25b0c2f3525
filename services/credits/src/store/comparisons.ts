import type { Tx } from '@swissbrain/service-kit/database';
import { sql } from 'kysely';
import type { AccountState } from '../domain/comparison.ts';

/** A page of the comparison that is this process's until `lease`. */
export interface ClaimedPage {
  /** `provider`: what is kept there is looked for here; `account`: the other way round. */
  readonly side: 'provider' | 'account';
  /** Behind which subscription the page begins; null at the beginning. */
  readonly cursor: string | null;
  readonly lease: string;
}

/** Takes the page that is due; nobody else gets it for `leaseSeconds`. */
export async function claimPage(
  tx: Tx,
  { leaseSeconds }: { leaseSeconds: number },
): Promise<ClaimedPage | undefined> {
  const { rows } = await sql<ClaimedPage>`
    UPDATE public.payment_comparisons SET next_at = clock_timestamp() + make_interval(secs => ${leaseSeconds})
    WHERE side = (SELECT side FROM public.payment_comparisons WHERE next_at <= clock_timestamp()
                  ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING side, cursor, next_at::text AS lease`.execute(tx);
  return rows[0];
}

/** Goes on behind `cursor` at once, or from the beginning (null) after `restSeconds`; nothing once the lease was lost. */
export async function finishPage(
  tx: Tx,
  { side, lease }: ClaimedPage,
  { cursor, restSeconds }: { cursor: string | null; restSeconds: number },
): Promise<void> {
  await sql`
    UPDATE public.payment_comparisons
    SET cursor = ${cursor}::text, error = NULL,
        next_at = clock_timestamp() + make_interval(secs => ${cursor === null ? restSeconds : 0}::float8),
        completed_at = CASE WHEN ${cursor}::text IS NULL THEN clock_timestamp() ELSE completed_at END
    WHERE side = ${side} AND next_at = ${lease}::timestamptz`.execute(tx);
}

/** Notes why a page could not be compared; it is taken again after `restSeconds`, from `cursor` on. */
export async function failPage(
  tx: Tx,
  { side, lease }: ClaimedPage,
  { cursor, restSeconds, error }: { cursor: string | null; restSeconds: number; error: string },
): Promise<void> {
  await sql`
    UPDATE public.payment_comparisons
    SET cursor = ${cursor}::text, error = ${error.slice(0, 500)},
        next_at = clock_timestamp() + make_interval(secs => ${restSeconds}::float8)
    WHERE side = ${side} AND next_at = ${lease}::timestamptz`.execute(tx);
}

/** When the older of the two sides was last compared as a whole, in seconds since 1970; null: never. */
export async function lastCompared(tx: Tx): Promise<number | null> {
  const { rows } = await sql<{ at: number | null }>`
    SELECT CASE WHEN bool_and(completed_at IS NOT NULL) THEN extract(epoch FROM min(completed_at))::float8 END AS at
    FROM public.payment_comparisons`.execute(tx);
  return rows[0]?.at ?? null;
}

/** Up to `limit` subscriptions at the provider that accounts here have, in order, behind one. */
export async function selectBoughtRefs(
  tx: Tx,
  { after, limit }: { after: string | null; limit: number },
): Promise<string[]> {
  const { rows } = await sql<{ ref: string }>`
    SELECT external_ref AS ref FROM public.user_subscriptions
    WHERE external_ref > ${after ?? ''} AND status <> 'ended' ORDER BY external_ref LIMIT ${limit}`.execute(
    tx,
  );
  return rows.map(({ ref }) => ref);
}

/** The account of whoever a subscription belongs to: by what is kept here, else by what it says itself. */
export async function findAccountState(
  tx: Tx,
  { ref, userId }: { ref: string; userId: string | null },
): Promise<AccountState | undefined> {
  const { rows } = await sql<AccountState>`
    SELECT external_ref AS ref, status, tier_code AS tier, next_tier_code AS next,
           EXISTS (SELECT FROM public.payment_cancellations c WHERE c.subscription_ref = ${ref}) AS ending
    FROM public.user_subscriptions
    WHERE user_id = coalesce((SELECT user_id FROM public.user_subscriptions WHERE external_ref = ${ref}), ${userId}::uuid)
    ORDER BY created_at DESC LIMIT 1`.execute(tx);
  return rows[0];
}

/** The order of the tiers. */
export async function selectTierPositions(tx: Tx): Promise<Map<string, number>> {
  const { rows } = await sql<{ code: string; position: number }>`
    SELECT code, position FROM public.subscription_tiers`.execute(tx);
  return new Map(rows.map(({ code, position }) => [code, position]));
}

/**
 * Writes down that how a subscription stands is to be asked for, as if the provider had told, after `delaySeconds`; false when
 * something that was told of it is still to be applied.
 */
export async function raiseEvent(
  tx: Tx,
  { ref, type, delaySeconds }: { ref: string; type: string; delaySeconds: number },
): Promise<boolean> {
  const { rows } = await sql`
    INSERT INTO public.payment_events (id, type, subject, subject_ref, created_at, next_attempt_at)
    SELECT 'comparison_' || gen_random_uuid(), ${type}, 'subscription', ${ref}, clock_timestamp(),
           clock_timestamp() + make_interval(secs => ${delaySeconds}::float8)
    WHERE NOT EXISTS (SELECT FROM public.payment_events WHERE subject_ref = ${ref} AND finished_at IS NULL)
    RETURNING id`.execute(tx);
  return rows.length > 0;
}
