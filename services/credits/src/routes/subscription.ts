import { principalOf } from '@swissbrain/service-kit/http';
import { idempotencyKeyOf } from '@swissbrain/service-kit/idempotency';
import type { Platform } from '@swissbrain/service-kit/platform';
import {
  chooseTierBody,
  type SubscriptionView,
  subscriptionPatch,
  subscriptionView,
} from '@swissbrain/shared-schema/http/credits';
import {
  chooseSubscription,
  getSubscription,
  type SubscriptionRow,
} from '../operations/choose-subscription.ts';
import { changeTimeZone } from '../operations/set-time-zone.ts';

const tags = ['account'];
const path = '/v1/credits/subscription';

/** Adds the routes about the caller's own subscription. */
export function serveSubscription({ http, database }: Pick<Platform, 'http' | 'database'>): void {
  http.get(
    path,
    { schema: { tags, summary: 'Get the subscription', response: { 200: subscriptionView } } },
    async (request) => toView(await getSubscription(database, principalOf(request))),
  );
  http.patch(
    path,
    {
      schema: {
        tags,
        summary: 'Set the time zone in which months are counted',
        description:
          'The present period ends when it was to end; the next ones are counted from the anchor in the zone.',
        body: subscriptionPatch,
        response: { 200: subscriptionView },
      },
    },
    async (request) => toView(await changeTimeZone(database, principalOf(request), request.body.time_zone)),
  );
  http.post(
    path,
    {
      schema: {
        tags,
        summary: 'Choose a lower tier, cancel, or take that back',
        description:
          'A lower tier follows when the period ends; `free` cancels, the present tier takes a change back. A higher ' +
          'tier is bought, or given by an operator.',
        body: chooseTierBody,
        response: { 200: subscriptionView },
      },
    },
    async (request) => {
      const { tier } = request.body;
      const key = idempotencyKeyOf(request);
      const chosen = await chooseSubscription(database, principalOf(request), { tier, key });
      request.idempotencyReplayed = chosen.replayed;
      return toView(chosen.subscription);
    },
  );
}

function toView(row: SubscriptionRow): SubscriptionView {
  return subscriptionView.parse({
    tier: row.tier_code,
    next_tier: row.next_tier_code,
    status: row.status,
    time_zone: row.time_zone,
    period_start: row.current_period_start.toISOString(),
    period_end: row.current_period_end.toISOString(),
    external: row.external_ref !== null,
  });
}
