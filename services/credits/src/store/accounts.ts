import type { Tx } from '@swissbrain/service-kit/database';
import type { MicroCredits } from '@swissbrain/shared-schema/amount';
import type { CreditBalancesTable, UserSubscriptionsTable } from '@swissbrain/shared-schema/db/credits';
import type { UserId } from '@swissbrain/shared-schema/ids';
import { type Selectable, sql } from 'kysely';
import { callLedger, callLedgerOnce } from './ledger-call.ts';

/** Opens an account with the Free subscription and its first grant; false when there was one before. */
export async function openAccount(tx: Tx, userId: UserId): Promise<boolean> {
  const { opened } = await callLedgerOnce(
    tx,
    sql<{ opened: boolean }>`SELECT public.open_account(${userId}::uuid) AS opened`,
  );
  return opened;
}

/** Ends the subscription of a user who is gone; balance and ledger stay. False when there was none to end. */
export async function closeAccount(tx: Tx, userId: UserId): Promise<boolean> {
  const { closed } = await callLedgerOnce(
    tx,
    sql<{ closed: boolean }>`SELECT public.close_account(${userId}::uuid) AS closed`,
  );
  return closed;
}

export interface RenewedAccount {
  readonly user_id: UserId;
  readonly granted: MicroCredits;
  readonly rolled: MicroCredits;
  readonly expired: MicroCredits;
  readonly skipped: number;
}

/** Begins the new period of up to `limit` accounts whose old one is over by the database's clock. */
export function renewAccounts(tx: Tx, limit: number): Promise<RenewedAccount[]> {
  return callLedger(
    tx,
    sql<RenewedAccount>`
      SELECT user_id, granted, rolled, expired, skipped
      FROM public.grant_monthly_credits(clock_timestamp(), ${limit}::int)`,
  );
}

/** Takes back what is left of grants that expired within a period, of up to `limit` accounts; returns how many. */
export async function expireGrants(tx: Tx, limit: number): Promise<number> {
  const rows = await callLedger(
    tx,
    sql<{ user_id: UserId }>`SELECT user_id FROM public.expire_grants_due(${limit}::int)`,
  );
  return rows.length;
}

type Balance = Selectable<CreditBalancesTable>;
type Subscription = Selectable<UserSubscriptionsTable>;

/** A balance with the live subscription; its columns are null where there is none. */
export interface AccountRow
  extends Pick<Balance, 'credited_micro' | 'debited_micro' | 'reserved_micro' | 'overdraft_limit_micro'> {
  readonly tier_code: Subscription['tier_code'] | null;
  readonly current_period_start: Subscription['current_period_start'] | null;
  readonly current_period_end: Subscription['current_period_end'] | null;
}

/** The account that this transaction's user may see, with its live subscription; undefined before it is opened. */
export async function findAccount(tx: Tx, userId: UserId): Promise<AccountRow | undefined> {
  const { rows } = await sql<AccountRow>`
    SELECT b.credited_micro, b.debited_micro, b.reserved_micro, b.overdraft_limit_micro,
           s.tier_code, s.current_period_start, s.current_period_end
    FROM public.credit_balances b
    LEFT JOIN public.user_subscriptions s ON s.user_id = b.user_id AND s.status <> 'ended'
    WHERE b.user_id = ${userId}::uuid`.execute(tx);
  return rows[0];
}
