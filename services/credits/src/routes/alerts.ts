import { principalOf } from '@swissbrain/service-kit/http';
import type { Platform } from '@swissbrain/service-kit/platform';
import { type AlertsView, alertsBody, alertsView } from '@swissbrain/shared-schema/http/credits';
import { type AlertsRow, getAlerts, setAlerts } from '../operations/set-alerts.ts';

const tags = ['account'];
const path = '/v1/credits/alerts';
const response = { 200: alertsView };

/** Adds the routes about when the caller is told that credits run low. */
export function serveAlerts({ http, database }: Pick<Platform, 'http' | 'database'>): void {
  http.get(
    path,
    { schema: { tags, summary: 'Get the thresholds of credits.low', response } },
    async (request) => toView(await getAlerts(database, principalOf(request))),
  );
  http.put(
    path,
    { schema: { tags, summary: 'Set the thresholds of credits.low', body: alertsBody, response } },
    async (request) => toView(await setAlerts(database, principalOf(request), request.body.thresholds)),
  );
}

const toView = ({ own, of_tier: ofTier, crossed }: AlertsRow): AlertsView => ({
  thresholds: own ?? ofTier ?? [],
  inherited: own === null,
  crossed,
});
