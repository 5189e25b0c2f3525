import type { Tx } from '@swissbrain/service-kit/database';
import { sql } from 'kysely';

/** A subscription that is this process's to end at the payment provider, until the next attempt is due. */
export interface ClaimedCancellation {
  readonly subscription_ref: string;
  readonly user_id: string;
  readonly attempts: number;
}

/** What the provider says of a subscription that was to end. */
export type CancellationOutcome = 'cancelled' | 'missing';

/**
 * Takes the subscription that has been due for longest; nobody else gets it before its next attempt: after
 * `retrySeconds`, and twice as long with each attempt up to an hour. It is never given up.
 */
export async function claimCancellation(
  tx: Tx,
  { retrySeconds }: { retrySeconds: number },
): Promise<ClaimedCancellation | undefined> {
  const { rows } = await sql<ClaimedCancellation>`
    UPDATE public.payment_cancellations
    SET attempts = attempts + 1,
        next_attempt_at = clock_timestamp()
          + least(3600, ${retrySeconds}::float8 * power(2, least(attempts, 20))) * (1 + random() / 5) * interval '1 second'
    WHERE subscription_ref = (SELECT subscription_ref FROM public.payment_cancellations
                              WHERE finished_at IS NULL AND next_attempt_at <= clock_timestamp()
                              ORDER BY next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING subscription_ref, user_id, attempts`.execute(tx);
  return rows[0];
}

/** Notes that the provider has confirmed; one that has ended stays as it is. */
export async function finishCancellation(
  tx: Tx,
  subscription: string,
  outcome: CancellationOutcome,
): Promise<void> {
  await sql`
    UPDATE public.payment_cancellations SET outcome = ${outcome}, finished_at = clock_timestamp(), error = NULL
    WHERE subscription_ref = ${subscription} AND finished_at IS NULL`.execute(tx);
}

/** Notes why an attempt failed. */
export async function noteCancellationFailure(tx: Tx, subscription: string, error: string): Promise<void> {
  await sql`
    UPDATE public.payment_cancellations SET error = ${error.slice(0, 500)}
    WHERE subscription_ref = ${subscription} AND finished_at IS NULL`.execute(tx);
}

/** How many subscriptions are still to end. */
export async function countCancellations(tx: Tx): Promise<number> {
  const { rows } = await sql<{ open: number }>`
    SELECT count(*)::int AS open FROM public.payment_cancellations WHERE finished_at IS NULL`.execute(tx);
  return rows[0]?.open ?? 0;
}
