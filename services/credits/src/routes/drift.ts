import type { Platform } from '@swissbrain/service-kit/platform';
import { driftPage, driftQuery } from '@swissbrain/shared-schema/http/credits-drift';
import type { Config } from '../config.ts';
import { beforeAll, findHoldDrift, findLedgerDrift } from '../operations/find-drift.ts';
import { noteDriftRead } from '../operations/review-accounts.ts';
import { operatorsOnly, reviewerOf, tags } from './operator.ts';

/** Adds the operators' look at the books: what does not add up now, recomputed on the spot. Looking is audited too. */
export function serveDrift(platform: Pick<Platform, 'http' | 'database' | 'rpc'>, config: Config): void {
  platform.http.get(
    '/v1/admin/drift',
    {
      onRequest: operatorsOnly,
      schema: {
        tags,
        summary: 'Recompute a part of the accounts, or compare a part of the holds with their runs',
        querystring: driftQuery,
        response: { 200: driftPage },
      },
    },
    async (request) => {
      const { of, limit, cursor } = request.query;
      const after = cursor ?? beforeAll;
      await noteDriftRead(platform.database, reviewerOf(request));
      const round =
        of === 'ledger'
          ? await findLedgerDrift(platform.database, after, limit)
          : await findHoldDrift(platform, { after, limit, graceSeconds: config.DRIFT_GRACE_SECONDS });
      const items = round.findings.map(({ kind, userId, what, expected, found, transactionId, runId }) => ({
        ...{ kind, user_id: userId, what, expected, found },
        ...{ transaction_id: transactionId, run_id: runId },
      }));
      return { items, next_cursor: round.next };
    },
  );
}
