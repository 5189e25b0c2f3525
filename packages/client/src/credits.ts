import type { CallOptions } from './runs.ts';
import type { Transport } from './transport.ts';
import type {
  BalanceView,
  EstimateBody,
  EstimateView,
  PriceList,
  PriceView,
  ReservationPage,
  ReservationView,
  TierList,
  TierView,
  TransactionPage,
  UsagePage,
} from './types.ts';
import { urlOf } from './url.ts';

export interface PageQuery {
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
}

/** Of which time usage is asked for: the last thirty days, in the zone of the subscription, unless given. */
export interface UsageRange {
  /** ISO 8601 with an offset. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  /** By its IANA name. */
  readonly timeZone?: string | undefined;
}
export interface UsageQuery extends UsageRange, PageQuery {
  readonly groupBy?: UsagePage['group_by'] | undefined;
}

/** Amounts are decimal numbers of credits as text. Every method throws ApiProblem or ConnectionError. */
export interface Credits {
  /** The user's account; `granted` is false while a new user's first grant is on its way. */
  balance(options?: CallOptions): Promise<BalanceView>;
  /** The ledger, newest first. */
  transactions(query?: PageQuery, options?: CallOptions): Promise<TransactionPage>;
  /** The holds of runs, newest first. */
  reservations(
    query?: PageQuery & { readonly runId?: string },
    options?: CallOptions,
  ): Promise<ReservationPage>;
  /** The hold of one run; null when credits has not heard of the run. */
  reservationOf(runId: string, options?: CallOptions): Promise<ReservationView | null>;
  tiers(options?: CallOptions): Promise<readonly TierView[]>;
  prices(options?: CallOptions): Promise<readonly PriceView[]>;
  /** What was used, added up by day, tool, model or run. */
  usage(query?: UsageQuery, options?: CallOptions): Promise<UsagePage>;
  /** Every entry of usage as CSV, in the pieces in which it arrives. */
  exportUsage(range?: UsageRange, options?: CallOptions): AsyncIterable<string>;
  /** What a playbook, a goal or a research would cost, and whether it would start. */
  estimate(body: EstimateBody, options?: CallOptions): Promise<EstimateView>;
}

/** The credits API at the given address. */
export function createCredits(transport: Transport, baseUrl: string): Credits {
  const read = <T>(
    path: string,
    query: Readonly<Record<string, string | number | undefined>>,
    options?: CallOptions,
  ) =>
    transport.json<T>({
      method: 'GET',
      url: urlOf(baseUrl, `/v1/credits${path}`, query),
      signal: options?.signal,
    });
  const reservations: Credits['reservations'] = ({ runId, ...page } = {}, options) =>
    read('/reservations', { ...page, run_id: runId }, options);

  return {
    balance: (options) => read('/balance', {}, options),
    transactions: (query, options) => read('/transactions', { ...query }, options),
    reservations,
    async reservationOf(runId, options) {
      const page = await reservations({ runId, limit: 1 }, options);
      return page.items.find((reservation) => reservation.run_id === runId) ?? null;
    },
    tiers: async (options) => (await read<TierList>('/tiers', {}, options)).items,
    prices: async (options) => (await read<PriceList>('/prices', {}, options)).items,
    usage: ({ groupBy, timeZone, ...rest } = {}, options) =>
      read('/usage', { ...rest, group_by: groupBy, time_zone: timeZone }, options),
    async *exportUsage({ timeZone, ...rest } = {}, options) {
      const url = urlOf(baseUrl, '/v1/credits/usage/export', { ...rest, time_zone: timeZone });
      const headers = { accept: 'text/csv, application/problem+json' };
      const { body } = await transport.open({ method: 'GET', url, headers, signal: options?.signal });
      if (body !== null) yield* body.pipeThrough(new TextDecoderStream());
    },
    estimate: (body, options) =>
      transport.json({
        method: 'POST',
        url: urlOf(baseUrl, '/v1/credits/estimate'),
        body,
        // It changes nothing; the key is what every POST has.
        headers: { 'idempotency-key': crypto.randomUUID() },
        repeatable: true,
        signal: options?.signal,
      }),
  };
}
