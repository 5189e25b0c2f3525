import { pageQuery } from '@swissbrain/service-kit/cursor';
import { principalOf } from '@swissbrain/service-kit/http';
import type { Platform } from '@swissbrain/service-kit/platform';
import {
  type ConnectorView,
  connectorPage,
  connectorParams,
  connectorView,
} from '@swissbrain/shared-schema/http/connectors';
import { getConnector } from '../operations/get-connector.ts';
import { listConnectors } from '../operations/list-connectors.ts';

type Connector = Awaited<ReturnType<typeof getConnector>>;

const tags = ['connectors'];

/** Adds the routes under /v1/connectors. */
export function serveConnectors({ http, database }: Pick<Platform, 'http' | 'database'>): void {
  http.get(
    '/v1/connectors',
    {
      schema: { tags, summary: 'List connectors', querystring: pageQuery, response: { 200: connectorPage } },
    },
    async (request) => {
      const page = await listConnectors(database, principalOf(request), request.query);
      return { ...page, items: page.items.map(toView) };
    },
  );

  http.get(
    '/v1/connectors/:slug',
    {
      schema: { tags, summary: 'Get a connector', params: connectorParams, response: { 200: connectorView } },
    },
    async (request) => toView(await getConnector(database, principalOf(request), request.params.slug)),
  );
}

function toView(row: Connector): ConnectorView {
  return connectorView.parse(row);
}
