import { type Api, bodyOf, given } from './api.ts';
import type { CallOptions } from './runs.ts';
import type { Transport } from './transport.ts';
import type {
  BalanceView,
  EstimateBody,
  EstimateView,
  PriceView,
  ReservationPage,
  ReservationView,
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

/** The usual ways through the credits API; what is read as it comes is asked at the given address. */
export function createCredits(transport: Transport, api: Api['credits'], baseUrl: string): Credits {
  const reservations: Credits['reservations'] = ({ runId, ...page } = {}, options) =>
    bodyOf(
      api.GET('/v1/credits/reservations', {
        params: { query: given({ ...page, run_id: runId }) },
        ...options,
      }),
    );

  return {
    balance: (options) => bodyOf(api.GET('/v1/credits/balance', { ...options })),
    transactions: (query = {}, options) =>
      bodyOf(api.GET('/v1/credits/transactions', { params: { query: given(query) }, ...options })),
    reservations,
    async reservationOf(runId, options) {
      const page = await reservations({ runId, limit: 1 }, options);
      return page.items.find((reservation) => reservation.run_id === runId) ?? null;
    },
    tiers: async (options) => (await bodyOf(api.GET('/v1/credits/tiers', { ...options }))).items,
    prices: async (options) => (await bodyOf(api.GET('/v1/credits/prices', { ...options }))).items,
    usage: ({ groupBy, timeZone, ...rest } = {}, options) => {
      const query = given({ ...rest, group_by: groupBy, time_zone: timeZone });
      return bodyOf(api.GET('/v1/credits/usage', { params: { query }, ...options }));
    },
    async *exportUsage({ timeZone, ...rest } = {}, options) {
      const url = urlOf(baseUrl, '/v1/credits/usage/export', { ...rest, time_zone: timeZone });
      const headers = { accept: 'text/csv, application/problem+json' };
      const { body } = await transport.open({ url, headers, signal: options?.signal });
      if (body !== null) yield* body.pipeThrough(new TextDecoderStream());
    },
    estimate: (body, options) => bodyOf(api.POST('/v1/credits/estimate', { body, ...options })),
  };
}
