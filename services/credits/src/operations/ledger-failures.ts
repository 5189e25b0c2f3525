import { toError } from '@swissbrain/service-kit/errors';
import { errors } from '../errors.ts';

/** SQLSTATEs of the ledger's functions to what a caller may see. */
const failures: Readonly<Record<string, (detail: string) => Error>> = {
  CR404: (detail) =>
    detail.startsWith('no account') ? errors.account_pending(detail) : errors.reservation_pending(detail),
  CR409: errors.request_key_reused,
  CR422: errors.operation_unpriced,
  '22003': errors.amount_invalid,
  '22023': errors.amount_invalid,
};

/**
 * Names a failure of the ledger; to be used as `.catch(explainFailure)`.
 * @throws AppError `account_pending` and `reservation_pending` (both worth another try), `request_key_reused`,
 *   `operation_unpriced`, `amount_invalid`; anything else as it is
 */
export function explainFailure(thrown: unknown): never {
  const error = toError(thrown);
  const state = 'code' in error ? String(error.code) : '';
  throw failures[state]?.(error.message) ?? error;
}
