import createFetchClient from 'openapi-fetch';
import { type Api, bodyOf, given } from './api.ts';
import type { PageQuery } from './credits.ts';
import type { CallOptions } from './runs.ts';
import type { Transport } from './transport.ts';
import type {
  AccountDetail,
  AccountDrift,
  AuditEntry,
  ChangeTierBody,
  GrantBody,
  PriceVersionPage,
  VersionPriceBody,
} from './types.ts';

/** Repeating a change under the same key is harmless. */
export type ChangeOptions = CallOptions & { readonly idempotencyKey?: string | undefined };

/**
 * Accounts and prices as operators see and change them. Each change gives its entry in the audit. Throws ApiProblem or
 * ConnectionError.
 */
export interface CreditOperators {
  account(userId: string, options?: CallOptions): Promise<AccountDetail>;
  grant(userId: string, body: GrantBody, options?: ChangeOptions): Promise<AuditEntry>;
  /** Takes back what is left of a grant. */
  revoke(userId: string, grantId: string, reason: string, options?: ChangeOptions): Promise<AuditEntry>;
  /** Corrects an account, up or down. */
  adjust(
    userId: string,
    body: { readonly amount: string; readonly reason: string },
    options?: ChangeOptions,
  ): Promise<AuditEntry>;
  /** Gives usage back; without an amount all of the entry that is left. */
  refund(
    userId: string,
    body: { readonly transaction_id: string; readonly amount?: string; readonly reason: string },
    options?: ChangeOptions,
  ): Promise<AuditEntry>;
  changeTier(userId: string, body: ChangeTierBody, options?: ChangeOptions): Promise<AuditEntry>;
  /** What of an account does not follow from its ledger; nothing is as it should be. */
  verify(userId: string, options?: CallOptions): Promise<readonly AccountDrift[]>;
  /** Prices of all times, newest first. */
  prices(
    query?: PageQuery & { readonly operation?: string | undefined },
    options?: CallOptions,
  ): Promise<PriceVersionPage>;
  /** Another price from a moment in the future on. */
  versionPrice(body: VersionPriceBody, options?: ChangeOptions): Promise<AuditEntry>;
}

/** What operators do, at the address where credits answers. */
export function createCreditOperators({ fetch }: Transport, baseUrl: string): CreditOperators {
  const api: Api['credits'] = createFetchClient({ baseUrl, fetch });
  const of = (userId: string) => ({ path: { user_id: userId } });
  const under = ({ idempotencyKey }: ChangeOptions = {}) => ({
    header: given({ 'idempotency-key': idempotencyKey }),
  });
  const signalOf = ({ signal }: CallOptions = {}) => given({ signal });

  return {
    account: (userId, options) =>
      bodyOf(api.GET('/v1/admin/accounts/{user_id}', { params: of(userId), ...signalOf(options) })),
    grant: (userId, body, options) => {
      const params = { ...of(userId), ...under(options) };
      return bodyOf(api.POST('/v1/admin/accounts/{user_id}/grants', { params, body, ...signalOf(options) }));
    },
    revoke: (userId, grantId, reason, options) => {
      const params = { path: { user_id: userId, grant_id: grantId }, ...under(options) };
      const call = { params, body: { reason }, ...signalOf(options) };
      return bodyOf(api.POST('/v1/admin/accounts/{user_id}/grants/{grant_id}/revoke', call));
    },
    adjust: (userId, body, options) => {
      const call = { params: { ...of(userId), ...under(options) }, body, ...signalOf(options) };
      return bodyOf(api.POST('/v1/admin/accounts/{user_id}/adjustments', call));
    },
    refund: (userId, body, options) => {
      const call = { params: { ...of(userId), ...under(options) }, body, ...signalOf(options) };
      return bodyOf(api.POST('/v1/admin/accounts/{user_id}/refunds', call));
    },
    changeTier: (userId, body, options) => {
      const call = { params: { ...of(userId), ...under(options) }, body, ...signalOf(options) };
      return bodyOf(api.POST('/v1/admin/accounts/{user_id}/tier', call));
    },
    verify: async (userId, options) => {
      const call = { params: of(userId), ...signalOf(options) };
      return (await bodyOf(api.GET('/v1/admin/accounts/{user_id}/drift', call))).items;
    },
    prices: (query = {}, options) =>
      bodyOf(api.GET('/v1/admin/prices', { params: { query: given(query) }, ...signalOf(options) })),
    versionPrice: (body, options) =>
      bodyOf(api.POST('/v1/admin/prices', { params: under(options), body, ...signalOf(options) })),
  };
}
