import type { Tx } from '@swissbrain/service-kit/database';
import { type RawBuilder, sql } from 'kysely';
import type { AccountStatus, PaymentEvent } from '../domain/payments.ts';
import { callLedgerOnce } from './ledger-call.ts';

/** An event that is this process's to apply, until its next attempt is due. */
export interface ClaimedEvent {
  readonly id: string;
  readonly type: string;
  readonly subject: PaymentEvent['subject'];
  readonly subject_ref: string;
  readonly attempts: number;
  /** The database's time of the claim, exactly; answers that are asked for later are not older. */
  readonly as_of: string;
}

/** Why an event needs no further attempt. */
export type Outcome = 'applied' | 'unchanged' | 'ignored' | 'unknown_user' | 'exceeds_original' | 'given_up';

/** Stores what the provider told; a second delivery changes nothing. Returns what became of it so far. */
export async function storeEvent(tx: Tx, event: PaymentEvent): Promise<{ outcome: Outcome | null }> {
  const { id, type, subject, ref, createdAt } = event;
  await sql`
    INSERT INTO public.payment_events (id, type, subject, subject_ref, created_at)
    VALUES (${id}, ${type}, ${subject}, ${ref}, ${createdAt}) ON CONFLICT (id) DO NOTHING`.execute(tx);
  const { rows } = await sql<{ outcome: Outcome | null }>`
    SELECT outcome FROM public.payment_events WHERE id = ${id}`.execute(tx);
  if (!rows[0]) throw new Error(`payment event ${id} is not there after it was stored`);
  return rows[0];
}

/**
 * Takes events that are due, or the one that is named; nobody else gets them before their next attempt: after
 * `retrySeconds`, and twice as long with each attempt up to an hour. So a crash needs no cleaning up.
 */
export async function claimEvents(
  tx: Tx,
  { id, limit, retrySeconds }: { id: string | null; limit: number; retrySeconds: number },
): Promise<ClaimedEvent[]> {
  const due = sql`finished_at IS NULL AND next_attempt_at <= clock_timestamp()`;
  const which: RawBuilder<unknown> = id === null ? due : sql`${due} AND id = ${id}`;
  const { rows } = await sql<ClaimedEvent>`
    UPDATE public.payment_events
    SET attempts = attempts + 1,
        next_attempt_at = clock_timestamp()
          + least(3600, ${retrySeconds}::float8 * power(2, least(attempts, 20))) * (1 + random() / 5) * interval '1 second'
    WHERE id IN (SELECT id FROM public.payment_events WHERE ${which}
                 ORDER BY next_attempt_at LIMIT ${limit} FOR UPDATE SKIP LOCKED)
    RETURNING id, type, subject, subject_ref, attempts, clock_timestamp()::text AS as_of`.execute(tx);
  return rows;
}

/** Ends an event; one that has ended stays as it is. */
export async function finishEvent(tx: Tx, id: string, outcome: Outcome): Promise<void> {
  await sql`
    UPDATE public.payment_events SET outcome = ${outcome}, finished_at = clock_timestamp(), error = NULL
    WHERE id = ${id} AND finished_at IS NULL`.execute(tx);
}

/** Notes why an attempt failed. */
export async function noteFailure(tx: Tx, id: string, error: string): Promise<void> {
  await sql`
    UPDATE public.payment_events SET error = ${error.slice(0, 500)}
    WHERE id = ${id} AND finished_at IS NULL`.execute(tx);
}

export interface SubscriptionState {
  readonly userId: string;
  readonly subscription: string;
  readonly customer: string;
  readonly asOf: string;
  readonly status: AccountStatus;
  readonly tier: string | null;
  readonly ends: boolean;
}

/** Makes an account what its subscription at the provider was when it was asked for. */
export async function syncSubscription(
  tx: Tx,
  state: SubscriptionState,
): Promise<'applied' | 'ignored' | 'stale' | 'occupied'> {
  const { userId, subscription, customer, asOf, status, tier, ends } = state;
  const { done } = await callLedgerOnce(
    tx,
    sql<{ done: 'applied' | 'ignored' | 'stale' | 'occupied' }>`
      SELECT public.sync_subscription(${userId}::uuid, ${subscription}, ${customer}, ${asOf}::timestamptz, ${status},
        ${tier}::text, ${ends}::boolean) AS done`,
  );
  return done;
}

/** Takes back credits for what was refunded of a payment, all of it so far. */
export async function refundPayment(
  tx: Tx,
  refund: { userId: string; charge: string; tier: string; paid: bigint; refunded: bigint },
): Promise<'applied' | 'unchanged' | 'exceeds_original'> {
  const { userId, charge, tier, paid, refunded } = refund;
  const { done } = await callLedgerOnce(
    tx,
    sql<{ done: 'applied' | 'unchanged' | 'exceeds_original' }>`
      SELECT public.refund_payment(${userId}::uuid, ${charge}, ${tier}, ${paid}::bigint, ${refunded}::bigint) AS done`,
  );
  return done;
}

/** Whose subscription this is at the provider, where one is kept. */
export async function findSubscriber(tx: Tx, ref: string): Promise<string | undefined> {
  const { rows } = await sql<{ user_id: string }>`
    SELECT user_id FROM public.user_subscriptions WHERE external_ref = ${ref}`.execute(tx);
  return rows[0]?.user_id;
}

/** What the provider knows of a user; undefined without a live subscription. */
export async function findBilling(
  tx: Tx,
  userId: string,
): Promise<{ subscription: string | null; customer: string | null } | undefined> {
  const { rows } = await sql<{ subscription: string | null; customer: string | null }>`
    SELECT external_ref AS subscription, external_customer_ref AS customer
    FROM public.user_subscriptions WHERE user_id = ${userId}::uuid AND status <> 'ended'`.execute(tx);
  return rows[0];
}
