import type { CallOptions } from './runs.ts';
import type { Transport } from './transport.ts';
import type {
  BalanceView,
  PriceList,
  PriceView,
  ReservationPage,
  ReservationView,
  TierList,
  TierView,
  TransactionPage,
} from './types.ts';
import { urlOf } from './url.ts';

export interface PageQuery {
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
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
  };
}
