import { defineErrors } from '@swissbrain/service-kit/errors';

/** Every error that credits itself answers with. */
export const errors = defineErrors({
  /** The event that opens the account may still be on its way. */
  account_pending: { status: 404, title: 'No such account yet', retry: 'later' },
  /** The event that makes the reservation may still be on its way. */
  reservation_pending: { status: 404, title: 'No such reservation yet', retry: 'later' },
  reservation_not_found: { status: 404, title: 'No such reservation' },
  request_key_reused: { status: 409, title: 'The key was used for another request' },
  operation_unpriced: { status: 422, title: 'The operation has no price' },
  amount_invalid: { status: 422, title: 'The amount is not valid' },
});
