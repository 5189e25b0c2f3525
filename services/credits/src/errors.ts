import { defineErrors } from '@swissbrain/service-kit/errors';

/** Every error that credits itself answers with. */
export const errors = defineErrors({
  /** The event that opens the account may still be on its way. */
  account_pending: { status: 404, title: 'No such account yet', retry: 'later' },
  account_not_found: { status: 404, title: 'No such account' },
  /** The event that makes the reservation may still be on its way. */
  reservation_pending: { status: 404, title: 'No such reservation yet', retry: 'later' },
  reservation_not_found: { status: 404, title: 'No such reservation' },
  tier_not_found: { status: 404, title: 'No such tier' },
  grant_not_found: { status: 404, title: 'No such grant' },
  entry_not_found: { status: 404, title: 'No such entry of the ledger' },
  subscription_not_found: { status: 404, title: 'No live subscription' },
  billing_not_found: { status: 404, title: 'Nothing was bought yet' },
  signature_invalid: { status: 400, title: 'The signature is not valid' },
  tier_needs_payment: { status: 403, title: 'The tier cannot be taken this way' },
  request_key_reused: { status: 409, title: 'The key was used for another request' },
  credits_insufficient: { status: 409, title: 'The account has less' },
  refund_exceeds_original: { status: 409, title: 'More than the original' },
  version_out_of_order: { status: 409, title: 'A later version is there already' },
  time_zone_unknown: { status: 422, title: 'No such time zone' },
  operation_unpriced: { status: 422, title: 'The operation has no price' },
  subscription_bought: { status: 409, title: 'There is a bought subscription already' },
  payment_provider_refused: { status: 502, title: 'The payment provider refused the request' },
  payment_provider_unavailable: {
    status: 503,
    title: 'The payment provider does not answer',
    retry: 'later',
  },
  payment_event_pending: { status: 503, title: 'Stored, and not applied yet', retry: 'later' },
  amount_invalid: { status: 422, title: 'The amount is not valid' },
});
