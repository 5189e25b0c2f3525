import { type AppError, toError } from '@swissbrain/service-kit/errors';
import { errors } from '../errors.ts';

type Explain = (detail: string) => AppError;

/** What the ledger's functions say is not there, by how they begin. */
const missing: readonly (readonly [beginning: RegExp, explain: Explain])[] = [
  [/^no account/, errors.account_pending],
  [/^no tier/, errors.tier_not_found],
  [/^no time zone/, errors.time_zone_unknown],
  [/^no grant/, errors.grant_not_found],
  [/^no usage/, errors.entry_not_found],
  [/^account .* has no live subscription/, errors.subscription_not_found],
];

/** SQLSTATEs of the ledger's functions to what a caller may see. */
const failures: Readonly<Record<string, Explain>> = {
  CR402: errors.credits_insufficient,
  CR403: errors.tier_needs_payment,
  CR404: (detail) =>
    (missing.find(([beginning]) => beginning.test(detail))?.[1] ?? errors.reservation_pending)(detail),
  CR409: errors.request_key_reused,
  CR410: errors.refund_exceeds_original,
  CR412: errors.version_out_of_order,
  CR422: errors.operation_unpriced,
  '22003': errors.amount_invalid,
  '22023': errors.amount_invalid,
};

/**
 * Names a failure of the ledger; to be used as `.catch(explainFailure)`.
 * @throws AppError `account_pending` and `reservation_pending` (both worth another try), `request_key_reused`,
 *   `operation_unpriced`, `amount_invalid` and the like; anything else as it is
 */
export function explainFailure(thrown: unknown): never {
  const error = toError(thrown);
  const state = 'code' in error ? String(error.code) : '';
  throw failures[state]?.(error.message) ?? error;
}
