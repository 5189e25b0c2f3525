import { pageQuery } from '@swissbrain/service-kit/cursor';
import { principalOf } from '@swissbrain/service-kit/http';
import type { Platform } from '@swissbrain/service-kit/platform';
import { balanceView, reservationPage, transactionPage } from '@swissbrain/shared-schema/http/credits';
import { uuid } from '@swissbrain/shared-schema/ids';
import { getAccount, listReservations, listTransactions } from '../operations/show-account.ts';
import { toBalanceView, toReservationView, toTransactionView } from './views.ts';

const tags = ['account'];
const reservationQuery = pageQuery.extend({ run_id: uuid.optional() });

/** Adds the routes about the caller's own account. */
export function serveAccount({ http, database }: Pick<Platform, 'http' | 'database'>): void {
  http.get(
    '/v1/credits/balance',
    { schema: { tags, summary: 'Get the balance', response: { 200: balanceView } } },
    async (request) => toBalanceView(await getAccount(database, principalOf(request))),
  );

  http.get(
    '/v1/credits/transactions',
    {
      schema: {
        tags,
        summary: 'List the ledger',
        querystring: pageQuery,
        response: { 200: transactionPage },
      },
    },
    async (request) => {
      const page = await listTransactions(database, principalOf(request), request.query);
      return { ...page, items: page.items.map(toTransactionView) };
    },
  );

  http.get(
    '/v1/credits/reservations',
    {
      schema: {
        tags,
        summary: 'List reservations',
        querystring: reservationQuery,
        response: { 200: reservationPage },
      },
    },
    async (request) => {
      const { run_id: runId, ...page } = request.query;
      const { items, next_cursor } = await listReservations(database, principalOf(request), {
        ...page,
        runId,
      });
      return { items: items.map(toReservationView), next_cursor };
    },
  );
}
