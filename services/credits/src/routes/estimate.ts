import { principalOf } from '@swissbrain/service-kit/http';
import type { Platform } from '@swissbrain/service-kit/platform';
import { formatCredits, type MicroCredits } from '@swissbrain/shared-schema/amount';
import {
  type EstimateBody,
  type EstimateView,
  estimateBody,
  estimateView,
} from '@swissbrain/shared-schema/http/credits';
import type { Config } from '../config.ts';
import { type Estimate, estimateWork } from '../operations/estimate-work.ts';

/** Adds the route that tells what work would cost before it is begun. */
export function serveEstimate(
  { http, database, rpc }: Pick<Platform, 'http' | 'database' | 'rpc'>,
  config: Pick<Config, 'RESERVATION_MINIMUM_CREDITS'>,
): void {
  const deps = { database, rpc, minimum: config.RESERVATION_MINIMUM_CREDITS };
  http.post(
    '/v1/credits/estimate',
    {
      schema: {
        tags: ['usage'],
        summary: 'Estimate a run or a research',
        description:
          'Nothing is held and nothing is kept: asking again is asking anew, without an Idempotency-Key.',
        body: estimateBody,
        response: { 200: estimateView },
      },
    },
    async (request) => toView(await estimateWork(deps, principalOf(request), request.body), request.body),
  );
}

const optional = (amount: MicroCredits | null) => (amount === null ? null : formatCredits(amount));

function toView({ bounds, lines, hold, room }: Estimate, { research }: EstimateBody): EstimateView {
  const most = room.max_concurrent_runs;
  return {
    lines: lines.map(({ operation, quantity, cost }) => ({ operation, quantity, cost: formatCredits(cost) })),
    low: optional(bounds.low),
    likely: optional(bounds.likely),
    worst: optional(bounds.worst),
    hold: optional(hold),
    allowed: hold !== null,
    reason: hold !== null ? 'ok' : room.tier_code === null ? 'no_subscription' : 'insufficient',
    waits: hold !== null && most !== null && room.live_runs >= most,
    available: optional(room.available),
    tier: room.tier_code,
    parallel_items: research ? room.max_parallel_items : null,
  };
}
