import { pageQuery } from '@swissbrain/service-kit/cursor';
import type { Platform } from '@swissbrain/service-kit/platform';
import {
  priceVersionPage,
  tierParams,
  tierVersionList,
  versionPriceBody,
  versionTierBody,
} from '@swissbrain/shared-schema/http/credit-operators';
import { z } from 'zod';
import { listPriceVersions, listTierVersions } from '../operations/review-accounts.ts';
import { versionPrice, versionTier } from '../operations/version-catalogue.ts';
import { answer, callOf, changes, operatorsOnly, reviewerOf, tags } from './operator.ts';
import { toPriceVersionView, toTierVersionView } from './operator-views.ts';

const priceQuery = pageQuery.extend({ operation: versionPriceBody.shape.operation.optional() });

/** Adds how operators version prices and tiers. All of it is audited. */
export function serveOperatorCatalogue({ http, database }: Pick<Platform, 'http' | 'database'>): void {
  http.post(
    '/v1/admin/prices',
    changes('Give an operation another price from a moment in the future on', {
      body: versionPriceBody,
      params: z.object({}),
    }),
    async (request) => {
      const call = callOf(request, request.body.reason);
      return answer(request, await versionPrice(database, call, request.body));
    },
  );
  http.get(
    '/v1/admin/prices',
    {
      onRequest: operatorsOnly,
      schema: {
        ...{ tags, summary: 'List prices of all times', querystring: priceQuery },
        response: { 200: priceVersionPage },
      },
    },
    async (request) => {
      const { items, next_cursor } = await listPriceVersions(database, reviewerOf(request), {
        operation: undefined,
        ...request.query,
      });
      return { items: items.map(toPriceVersionView), next_cursor };
    },
  );
  http.post(
    '/v1/admin/tiers/:code/versions',
    changes('Give a tier other terms from a moment in the future on', {
      body: versionTierBody,
      params: tierParams,
    }),
    async (request) => {
      const call = callOf(request, request.body.reason);
      return answer(request, await versionTier(database, call, request.params.code, request.body));
    },
  );
  http.get(
    '/v1/admin/tiers/:code/versions',
    {
      onRequest: operatorsOnly,
      schema: {
        ...{ tags, summary: 'List what a tier was, is and will be', params: tierParams },
        response: { 200: tierVersionList },
      },
    },
    async (request) => {
      const rows = await listTierVersions(database, reviewerOf(request), request.params.code);
      return { items: rows.map(toTierVersionView) };
    },
  );
}
