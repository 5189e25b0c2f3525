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
import { urlOf } from './url.ts';

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
export function createCreditOperators(transport: Transport, baseUrl: string): CreditOperators {
  const at = (path: string, query: Readonly<Record<string, string | number | undefined>> = {}) =>
    urlOf(baseUrl, `/v1/admin${path}`, query);
  const account = (userId: string, more = '') => at(`/accounts/${encodeURIComponent(userId)}${more}`);
  const read = <T>(url: URL, options?: CallOptions) =>
    transport.json<T>({ method: 'GET', url, signal: options?.signal });
  const change = (url: URL, body: unknown, { signal, idempotencyKey }: ChangeOptions = {}) =>
    transport.json<AuditEntry>({
      ...{ method: 'POST', url, body, signal, repeatable: true },
      headers: { 'idempotency-key': idempotencyKey ?? crypto.randomUUID() },
    });
  return {
    account: (userId, options) => read(account(userId), options),
    grant: (userId, body, options) => change(account(userId, '/grants'), body, options),
    revoke: (userId, grantId, reason, options) =>
      change(account(userId, `/grants/${encodeURIComponent(grantId)}/revoke`), { reason }, options),
    adjust: (userId, body, options) => change(account(userId, '/adjustments'), body, options),
    refund: (userId, body, options) => change(account(userId, '/refunds'), body, options),
    changeTier: (userId, body, options) => change(account(userId, '/tier'), body, options),
    verify: async (userId, options) =>
      (await read<{ items: AccountDrift[] }>(account(userId, '/drift'), options)).items,
    prices: (query = {}, options) => read(at('/prices', { ...query }), options),
    versionPrice: (body, options) => change(at('/prices'), body, options),
  };
}
