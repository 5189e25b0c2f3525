import { pageQuery } from '@swissbrain/service-kit/cursor';
import type { Platform } from '@swissbrain/service-kit/platform';
import { auditPage, denialPage } from '@swissbrain/shared-schema/http/credit-operators';
import { uuid } from '@swissbrain/shared-schema/ids';
import { listAudit, listDenials } from '../operations/review-accounts.ts';
import { operatorsOnly, reviewerOf, tags } from './operator.ts';
import { toAuditEntry, toDenialView } from './operator-views.ts';

const auditQuery = pageQuery.extend({ user_id: uuid.optional() });

/** Adds the lists that operators read: what was done, and who was denied. Reading is audited too. */
export function serveOperatorLists({ http, database }: Pick<Platform, 'http' | 'database'>): void {
  const onRequest = operatorsOnly;
  http.get(
    '/v1/admin/audit',
    {
      onRequest,
      schema: {
        ...{ tags, summary: 'List what operators did', querystring: auditQuery },
        response: { 200: auditPage },
      },
    },
    async (request) => {
      const { user_id: userId, ...page } = request.query;
      const found = await listAudit(database, reviewerOf(request), { ...page, userId });
      return { items: found.items.map(toAuditEntry), next_cursor: found.next_cursor };
    },
  );
  http.get(
    '/v1/admin/denials',
    {
      onRequest,
      schema: {
        ...{ tags, summary: 'List runs that were denied', querystring: pageQuery },
        response: { 200: denialPage },
      },
    },
    async (request) => {
      const found = await listDenials(database, reviewerOf(request), request.query);
      return { items: found.items.map(toDenialView), next_cursor: found.next_cursor };
    },
  );
}
