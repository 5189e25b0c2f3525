import type { Database, Tx } from '@swissbrain/service-kit/database';
import { parseCredits } from '@swissbrain/shared-schema/amount';
import type {
  AdjustBody,
  ChangeTierBody,
  GrantBody,
  RefundBody,
} from '@swissbrain/shared-schema/http/credit-operators';
import type { UserId } from '@swissbrain/shared-schema/ids';
import { errors } from '../errors.ts';
import * as store from '../store/operators.ts';
import { explainFailure } from './ledger-failures.ts';

export type { AuditRow, Operated, OperatorCall } from '../store/operators.ts';

/** What an operator may do to an account. Each action and its audit row are one transaction. */
export type AccountAction =
  | { readonly do: 'grant'; readonly body: GrantBody }
  | { readonly do: 'adjust'; readonly body: AdjustBody }
  | { readonly do: 'refund'; readonly body: RefundBody }
  | { readonly do: 'revoke'; readonly grantId: string }
  | { readonly do: 'change_tier'; readonly body: ChangeTierBody };

/**
 * Does what an operator asks, once per operator and key.
 * @throws AppError `account_pending`, `grant_not_found`, `entry_not_found`, `tier_not_found`, `subscription_not_found`,
 *   `credits_insufficient`, `refund_exceeds_original`, `request_key_reused`, `amount_invalid`
 */
export function operateAccount(
  database: Database,
  call: store.OperatorCall,
  userId: UserId,
  action: AccountAction,
): Promise<store.Operated> {
  return database.withService((tx) => perform(tx, call, userId, action).catch(explainFailure));
}

function perform(
  tx: Tx,
  call: store.OperatorCall,
  userId: UserId,
  action: AccountAction,
): Promise<store.Operated> {
  switch (action.do) {
    case 'grant': {
      const { kind, amount, expires_at: expiresAt } = action.body;
      const grant = { userId, kind, amount: parseCredits(amount), expiresAt: expiresAt ?? null };
      return store.grantCredits(tx, call, grant);
    }
    case 'adjust':
      return store.adjustAccount(tx, call, { userId, amount: parseCredits(action.body.amount) });
    case 'refund': {
      const { transaction_id: transactionId, amount } = action.body;
      const asked = amount === undefined ? null : parseCredits(amount);
      return store.refundUsage(tx, call, { userId, transactionId, amount: asked });
    }
    case 'revoke':
      return store.revokeGrant(tx, call, { userId, grantId: action.grantId });
    case 'change_tier': {
      const { tier, downgrade } = action.body;
      return store.changeTier(tx, call, { userId, tier, atOnce: downgrade === 'at_once' });
    }
  }
}

/** Does something in the transaction that notes that an operator looked at it. */
export function underAudit<T>(
  database: Database,
  read: store.OperatorRead,
  look: (tx: Tx) => Promise<T>,
): Promise<T> {
  return database.withService(async (tx) => {
    await store.recordRead(tx, read);
    return look(tx);
  });
}

/** The 404 of an account that an operator names: they know that there should be one. */
export function noAccount(userId: UserId): Error {
  return errors.account_not_found(`there is no account ${userId}`);
}
