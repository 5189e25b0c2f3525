import { principalOf } from '@swissbrain/service-kit/http';
import type { Platform } from '@swissbrain/service-kit/platform';
import { priceList, tierList } from '@swissbrain/shared-schema/http/credits';
import { listPrices, listTiers } from '../operations/show-account.ts';
import { toPriceView, toTierView } from './views.ts';

const tags = ['catalogue'];

/** Adds the routes about what there is to have and what it costs. */
export function serveCatalogue({ http, database }: Pick<Platform, 'http' | 'database'>): void {
  http.get(
    '/v1/credits/tiers',
    { schema: { tags, summary: 'List the tiers', response: { 200: tierList } } },
    async (request) => ({ items: (await listTiers(database, principalOf(request))).map(toTierView) }),
  );

  http.get(
    '/v1/credits/prices',
    { schema: { tags, summary: 'List the prices that hold now', response: { 200: priceList } } },
    async (request) => ({ items: (await listPrices(database, principalOf(request))).map(toPriceView) }),
  );
}
