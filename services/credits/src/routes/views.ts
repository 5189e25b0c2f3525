import { formatCredits, type MicroCredits } from '@swissbrain/shared-schema/amount';
import {
  type BalanceView,
  type PriceView,
  type ReservationView,
  reservationView,
  type TierView,
  type TransactionView,
  transactionView,
} from '@swissbrain/shared-schema/http/credits';
import type {
  AccountRow,
  PriceRow,
  ReservationRow,
  TierRow,
  TransactionRow,
} from '../operations/show-account.ts';

const optional = (amount: MicroCredits | null) => (amount === null ? null : formatCredits(amount));
const time = (at: Date | null) => at?.toISOString() ?? null;

/** An account as the API shows it; one that is still being opened has zeros. */
export function toBalanceView(account: AccountRow | undefined): BalanceView {
  const credited = account?.credited_micro ?? 0n;
  const debited = account?.debited_micro ?? 0n;
  const reserved = account?.reserved_micro ?? 0n;
  const overdraftLimit = account ? account.overdraft_limit_micro : 0n;
  const unlimited = overdraftLimit === null;
  return {
    granted: account !== undefined,
    tier: account?.tier_code ?? null,
    unlimited,
    available: unlimited ? null : formatCredits(credited - debited - reserved),
    reserved: formatCredits(reserved),
    credited: formatCredits(credited),
    debited: formatCredits(debited),
    overdraft_limit: optional(overdraftLimit),
    period_start: time(account?.current_period_start ?? null),
    period_end: time(account?.current_period_end ?? null),
  };
}

/** An entry of the ledger as the API shows it. */
export function toTransactionView(row: TransactionRow): TransactionView {
  return transactionView.parse({
    ...row,
    amount: formatCredits(row.amount_micro),
    hold: formatCredits(row.hold_micro),
    available_after: optional(row.available_after_micro),
    hold_left: optional(row.hold_left_micro),
    quantity: row.quantity?.toString() ?? null,
    cost: optional(row.cost_micro),
    occurred_at: row.occurred_at.toISOString(),
    created_at: row.created_at.toISOString(),
  });
}

/** A reservation as the API shows it. */
export function toReservationView(row: ReservationRow): ReservationView {
  return reservationView.parse({
    id: row.id,
    run_id: row.run_id,
    status: row.state,
    requested: formatCredits(row.requested_micro),
    budget: optional(row.budget_micro),
    held: formatCredits(row.held_micro),
    consumed: formatCredits(row.consumed_micro),
    released: formatCredits(row.released_micro),
    late: formatCredits(row.late_micro),
    written_off: formatCredits(row.written_off_micro),
    price_as_of: row.price_as_of.toISOString(),
    expires_at: time(row.expires_at),
    closed_at: time(row.closed_at),
    close_reason: row.close_reason,
    created_at: row.created_at.toISOString(),
  });
}

/** A tier as the API shows it. */
export function toTierView(row: TierRow): TierView {
  const { monthly_credits_micro: monthly, rollover_max_micro: rollover, ...shown } = row;
  return { ...shown, monthly_credits: optional(monthly), rollover_max: formatCredits(rollover) };
}

/** A price as the API shows it. */
export function toPriceView(row: PriceRow): PriceView {
  const { price_micro: price, per_quantity: perQuantity, valid_from: validFrom, ...shown } = row;
  return {
    ...shown,
    price: formatCredits(price),
    per_quantity: perQuantity.toString(),
    valid_from: validFrom.toISOString(),
  };
}
