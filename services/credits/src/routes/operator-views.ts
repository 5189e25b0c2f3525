import { formatCredits } from '@swissbrain/shared-schema/amount';
import {
  type AccountDetail,
  type AuditEntry,
  auditEntry,
  type DenialView,
  type TierVersionView,
  tierVersionView,
} from '@swissbrain/shared-schema/http/credit-operators';
import type { AuditRow } from '../operations/operate-account.ts';
import type {
  AccountDetailRow,
  DenialRow,
  GrantRow,
  PriceVersionRow,
  TierVersionRow,
} from '../operations/review-accounts.ts';
import { toBalanceView, toPriceView } from './views.ts';

/** `available_micro: "1500000"` becomes `available: "1.5"`, as everywhere in the API; the rest stays. */
function inCredits(state: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(state).map(([name, value]) => {
      const amount = /^(.+)_micro$/.exec(name)?.[1];
      if (amount === undefined) return [name, value];
      const isAmount = typeof value === 'string' || typeof value === 'number';
      return [amount, isAmount ? formatCredits(BigInt(value)) : value];
    }),
  );
}

/** An audit row as the API shows it, with amounts in credits. */
export function toAuditEntry(
  row: Omit<AuditRow, 'before' | 'after'> & { before: unknown; after: unknown },
): AuditEntry {
  const { before, after } = auditEntry
    .pick({ before: true, after: true })
    .parse({ before: row.before, after: row.after });
  return {
    ...row,
    before: before && inCredits(before),
    after: after && inCredits(after),
    created_at: row.created_at.toISOString(),
  };
}

/** An account as operators see it. */
export function toAccountDetail(account: AccountDetailRow, grants: readonly GrantRow[]): AccountDetail {
  const { user_id, status, next_tier_code, time_zone, external_ref, debt_micro, live_runs, waiting_runs } =
    account;
  return {
    ...toBalanceView(account),
    ...{ user_id, status, time_zone, external_ref, live_runs, waiting_runs },
    next_tier: next_tier_code,
    debt: formatCredits(debt_micro),
    grants: grants.map(({ amount_micro: amount, remaining_micro: remaining, ...grant }) => ({
      ...grant,
      amount: formatCredits(amount),
      remaining: formatCredits(remaining),
      expires_at: grant.expires_at?.toISOString() ?? null,
      created_at: grant.created_at.toISOString(),
    })),
  };
}

/** A run that was denied, as operators see it. */
export function toDenialView(row: DenialRow): DenialView {
  const { id, user_id, run_id, requested_micro, minimum_micro, close_reason, created_at } = row;
  return {
    ...{ id, user_id, run_id },
    requested: formatCredits(requested_micro),
    minimum: formatCredits(minimum_micro),
    reason: close_reason,
    created_at: created_at.toISOString(),
  };
}

/** A price with its end. */
export function toPriceVersionView({ valid_to: validTo, ...row }: PriceVersionRow) {
  return { ...toPriceView(row), valid_to: validTo?.toISOString() ?? null };
}

/** A version of a tier, with amounts in credits. */
export function toTierVersionView(row: TierVersionRow): TierVersionView {
  const { version, terms, effective_from, applied_at } = row;
  return tierVersionView.parse({
    version,
    terms: inCredits(typeof terms === 'object' && terms !== null ? { ...terms } : {}),
    effective_from: effective_from.toISOString(),
    applied_at: applied_at?.toISOString() ?? null,
  });
}
