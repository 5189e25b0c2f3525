import type { Tx } from '@swissbrain/service-kit/database';
import type { MicroCredits } from '@swissbrain/shared-schema/amount';
import type { ReservationId, RunId, UserId } from '@swissbrain/shared-schema/ids';
import { sql } from 'kysely';
import type { HoldRequest } from '../domain/hold.ts';
import type { UsageItem } from '../domain/usage.ts';
import { callLedger, callLedgerOnce } from './ledger-call.ts';

/** What the given usage would cost now, in micro-credits. */
export async function estimateCost(
  tx: Tx,
  lines: readonly { readonly operation: string; readonly quantity: string }[],
): Promise<MicroCredits> {
  const { cost } = await callLedgerOnce(
    tx,
    sql<{ cost: bigint }>`SELECT public.price_estimate(${JSON.stringify(lines)}::jsonb) AS cost`,
  );
  return cost;
}

export interface ReserveRequest extends HoldRequest {
  readonly userId: UserId;
  readonly runId: RunId;
  readonly key: string;
  readonly budget: MicroCredits | null;
  readonly ttlSeconds: number;
  /** A research takes no slot of the tier. */
  readonly purpose: 'run' | 'research';
}
export type ReserveStatus = 'reserved' | 'replayed' | 'insufficient' | 'concurrency_limit';

/** Holds credits for a root run or a research, or puts it in the waiting line, or denies it for good. */
export async function reserveCredits(tx: Tx, request: ReserveRequest): Promise<ReserveStatus> {
  const { userId, runId, amount, key, ttlSeconds, minimum, budget, purpose } = request;
  const { status } = await callLedgerOnce(
    tx,
    sql<{ status: ReserveStatus }>`
      SELECT status FROM public.reserve_credits(${userId}::uuid, ${runId}::uuid, ${amount}::bigint, ${key},
        make_interval(secs => ${ttlSeconds}), ${minimum}::bigint, ${budget}::bigint, ${purpose})`,
  );
  return status;
}

export interface RecordedUsage {
  readonly reservation_id: ReservationId;
  readonly status: 'consumed' | 'extended' | 'debt' | 'late';
  readonly debt: MicroCredits;
}

/** Records usage of any number of runs; lines that are recorded already change nothing. */
export function consumeUsage(tx: Tx, items: readonly UsageItem[]): Promise<RecordedUsage[]> {
  return callLedger(
    tx,
    sql<RecordedUsage>`SELECT reservation_id, status, debt FROM public.consume_usage(${JSON.stringify(items)}::jsonb)`,
  );
}

export interface Closing {
  readonly runId: RunId;
  /** Type of the closing event. */
  readonly event: string;
  readonly billableSteps: number;
  /** Null when there are too many to name. */
  readonly stepIds: readonly string[] | null;
}
export type ClosingStatus = 'settled' | 'incomplete' | 'closed';

/** Takes note that a run has ended; settles it when its steps are recorded. */
export async function recordClosing(tx: Tx, closing: Closing): Promise<ClosingStatus> {
  const { runId, event, billableSteps, stepIds } = closing;
  const { status } = await callLedgerOnce(
    tx,
    sql<{ status: ClosingStatus }>`
      SELECT status FROM public.record_closing(${runId}::uuid, ${event}, ${billableSteps}::int, ${stepIds}::uuid[])`,
  );
  return status;
}

export interface IncompleteClosing {
  readonly reservation_id: ReservationId;
  readonly run_id: RunId;
  readonly user_id: UserId;
}

/** Runs that ended so many seconds ago and still lack steps; each is given to one asker at a time. */
export function claimIncompleteClosings(
  tx: Tx,
  { olderThanSeconds, limit }: { olderThanSeconds: number; limit: number },
): Promise<IncompleteClosing[]> {
  return callLedger(
    tx,
    sql<IncompleteClosing>`
      SELECT reservation_id, run_id, user_id
      FROM public.claim_incomplete_closings(make_interval(secs => ${olderThanSeconds}), ${limit}::int)`,
  );
}

/** The hold that a run draws on, by its root. */
export async function findHold(tx: Tx, runId: RunId): Promise<ReservationId | undefined> {
  const { rows } = await sql<{ id: ReservationId }>`
    SELECT id FROM public.credit_reservations WHERE run_id = ${runId}::uuid`.execute(tx);
  return rows[0]?.id;
}

export interface Extension {
  readonly status: 'extended' | 'replayed' | 'insufficient' | 'closed';
  readonly held: MicroCredits;
  readonly available: MicroCredits | null;
}

/** Raises a hold by the whole amount, or not at all. */
export function extendHold(
  tx: Tx,
  { reservationId, amount, key }: { reservationId: ReservationId; amount: MicroCredits; key: string },
): Promise<Extension> {
  return callLedgerOnce(
    tx,
    sql<Extension>`
      SELECT status, held, available
      FROM public.extend_reservation(${reservationId}::uuid, ${amount}::bigint, ${key})`,
  );
}

/** Renews holds by their own time to live and tells which of them live. */
export function heartbeatHolds(
  tx: Tx,
  ids: readonly ReservationId[],
): Promise<{ reservation_id: ReservationId; alive: boolean }[]> {
  return callLedger(
    tx,
    sql<{ reservation_id: ReservationId; alive: boolean }>`
      SELECT reservation_id, alive FROM public.heartbeat_reservations(${ids}::uuid[])`,
  );
}

/** Ends a hold whatever is recorded of its run. */
export async function releaseHold(
  tx: Tx,
  { reservationId, key, reason }: { reservationId: ReservationId; key: string; reason: string },
): Promise<string> {
  const { status } = await callLedgerOnce(
    tx,
    sql<{
      status: string;
    }>`SELECT status FROM public.release_credits(${reservationId}::uuid, ${key}, ${reason})`,
  );
  return status;
}

/** Ends up to `limit` holds whose time is over. */
export function expireHolds(tx: Tx, limit: number): Promise<{ reservation_id: ReservationId }[]> {
  return callLedger(
    tx,
    sql<{
      reservation_id: ReservationId;
    }>`SELECT reservation_id FROM public.expire_reservations(${limit}::int)`,
  );
}
