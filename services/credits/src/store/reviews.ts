import type { CursorPosition } from '@swissbrain/service-kit/cursor';
import type { Tx } from '@swissbrain/service-kit/database';
import type {
  CreditAuditTable,
  CreditGrantsTable,
  CreditPricingTable,
  CreditReservationsTable,
  SubscriptionTierVersionsTable,
} from '@swissbrain/shared-schema/db/credits';
import type { UserId } from '@swissbrain/shared-schema/ids';
import { type Selectable, sql } from 'kysely';
import type { AccountRow } from './accounts.ts';

interface PageFilter {
  readonly after: CursorPosition | undefined;
  readonly limit: number;
}
/** `created_at` to the microsecond, for the cursor. */
interface Positioned {
  readonly position: string;
}

const onward = (after: CursorPosition | undefined) =>
  after ? sql`AND (created_at, id) < (${after.createdAt}::timestamptz, ${after.id}::uuid)` : sql``;

type AuditEntryRow = Omit<Selectable<CreditAuditTable>, 'key' | 'request_hash'> & Positioned;

/** Up to `limit` audit entries after a position, newest first; of one account when it is named. */
export async function selectAudit(
  tx: Tx,
  { userId, after, limit }: PageFilter & { userId: UserId | undefined },
): Promise<AuditEntryRow[]> {
  const ofUser = userId ? sql`user_id = ${userId}::uuid` : sql`true`;
  const { rows } = await sql<AuditEntryRow>`
    SELECT id, operator_id, action, user_id, target, before, after, reason, request_id, created_at,
           created_at::text AS position
    FROM public.credit_audit WHERE ${ofUser} ${onward(after)}
    ORDER BY created_at DESC, id DESC LIMIT ${limit}`.execute(tx);
  return rows;
}

export type DenialRow = Positioned &
  Pick<
    Selectable<CreditReservationsTable>,
    'id' | 'user_id' | 'run_id' | 'requested_micro' | 'minimum_micro' | 'close_reason' | 'created_at'
  >;

/** Up to `limit` runs that were denied, newest first. */
export async function selectDenials(tx: Tx, { after, limit }: PageFilter): Promise<DenialRow[]> {
  const { rows } = await sql<DenialRow>`
    SELECT id, user_id, run_id, requested_micro, minimum_micro, close_reason, created_at, created_at::text AS position
    FROM public.credit_reservations WHERE state = 'denied' ${onward(after)}
    ORDER BY created_at DESC, id DESC LIMIT ${limit}`.execute(tx);
  return rows;
}

export type PriceVersionRow = Omit<Selectable<CreditPricingTable>, 'created_at'> & Positioned;

/** Up to `limit` prices of all times, newest first; of one operation when it is named. */
export async function selectPriceVersions(
  tx: Tx,
  { operation, after, limit }: PageFilter & { operation: string | undefined },
): Promise<PriceVersionRow[]> {
  const ofOperation = operation ? sql`operation = ${operation}` : sql`true`;
  const { rows } = await sql<PriceVersionRow>`
    SELECT id, operation, version, description, price_micro, per_quantity, unit, valid_from, valid_to,
           created_at::text AS position
    FROM public.credit_pricing WHERE ${ofOperation} ${onward(after)}
    ORDER BY created_at DESC, id DESC LIMIT ${limit}`.execute(tx);
  return rows;
}

export type TierVersionRow = Selectable<SubscriptionTierVersionsTable>;

/** The versions of a tier, newest first; none when there is no such tier. */
export async function selectTierVersions(tx: Tx, code: string): Promise<TierVersionRow[]> {
  const { rows } = await sql<TierVersionRow>`
    SELECT * FROM public.subscription_tier_versions WHERE tier_code = ${code} ORDER BY version DESC LIMIT 100`.execute(
    tx,
  );
  return rows;
}

export interface AccountDetailRow extends AccountRow {
  readonly user_id: UserId;
  readonly debt_micro: bigint;
  readonly status: string | null;
  readonly next_tier_code: string | null;
  readonly time_zone: string | null;
  readonly external_ref: string | null;
  readonly live_runs: number;
  readonly waiting_runs: number;
}

/** An account as operators see it; undefined when there is none. */
export async function findAccountDetail(tx: Tx, userId: UserId): Promise<AccountDetailRow | undefined> {
  const { rows } = await sql<AccountDetailRow>`
    SELECT b.user_id, b.credited_micro, b.debited_micro, b.reserved_micro, b.debt_micro, b.overdraft_limit_micro,
           s.tier_code, s.next_tier_code, s.status, s.time_zone, s.external_ref, s.current_period_start,
           s.current_period_end,
           (SELECT count(*)::int FROM public.credit_reservations r
            WHERE r.user_id = b.user_id AND r.state = 'active' AND r.purpose = 'run'
              AND r.expires_at > clock_timestamp()) AS live_runs,
           (SELECT count(*)::int FROM public.credit_reservations r
            WHERE r.user_id = b.user_id AND r.state = 'waiting') AS waiting_runs
    FROM public.credit_balances b
    LEFT JOIN public.user_subscriptions s ON s.user_id = b.user_id AND s.status <> 'ended'
    WHERE b.user_id = ${userId}::uuid`.execute(tx);
  return rows[0];
}

export type GrantRow = Pick<
  Selectable<CreditGrantsTable>,
  'id' | 'source' | 'amount_micro' | 'remaining_micro' | 'priority' | 'expires_at' | 'created_at'
>;

/** What is left of an account's grants, in the order it is burnt; the first hundred. */
export async function selectGrants(tx: Tx, userId: UserId): Promise<GrantRow[]> {
  const { rows } = await sql<GrantRow>`
    SELECT id, source, amount_micro, remaining_micro, priority, expires_at, created_at
    FROM public.credit_grants WHERE user_id = ${userId}::uuid AND remaining_micro > 0
    ORDER BY priority, expires_at, created_at, id LIMIT 100`.execute(tx);
  return rows;
}

/** An invariant of an account that does not hold. */
export interface DriftRow {
  readonly user_id: UserId;
  readonly invariant: string;
  readonly expected: string | null;
  readonly found: string | null;
  readonly transaction_id: string | null;
}

/** What does not hold of these accounts, recomputed from the log. */
export async function selectDrift(tx: Tx, userIds: readonly UserId[]): Promise<DriftRow[]> {
  const { rows } = await sql<DriftRow>`
    SELECT v.user_id, v.invariant, v.expected::text AS expected, v.found::text AS found, v.transaction_id
    FROM public.verify_accounts(${userIds}::uuid[]) WITH ORDINALITY v
    ORDER BY v.ordinality`.execute(tx);
  return rows;
}
