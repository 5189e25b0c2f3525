import type { Platform } from '@swissbrain/service-kit/platform';
import {
  accountDetail,
  accountParams,
  adjustBody,
  changeTierBody,
  driftList,
  grantBody,
  grantParams,
  refundBody,
  revokeBody,
} from '@swissbrain/shared-schema/http/credit-operators';
import { type AccountAction, operateAccount } from '../operations/operate-account.ts';
import { showAccount, verifyAccount } from '../operations/review-accounts.ts';
import { answer, callOf, changes, operatorsOnly, reviewerOf, tags } from './operator.ts';
import { toAccountDetail } from './operator-views.ts';

const account = '/v1/admin/accounts/:user_id';

/** Adds what operators do to one account, and how they look at it. All of it is audited. */
export function serveOperatorAccounts(platform: Pick<Platform, 'http' | 'database'>): void {
  serveChanges(platform);
  const { http, database } = platform;
  http.get(
    account,
    {
      onRequest: operatorsOnly,
      schema: {
        tags,
        summary: 'Look up an account',
        params: accountParams,
        response: { 200: accountDetail },
      },
    },
    async (request) => {
      const found = await showAccount(database, reviewerOf(request), request.params.user_id);
      return toAccountDetail(found.account, found.grants);
    },
  );
  http.get(
    `${account}/drift`,
    {
      onRequest: operatorsOnly,
      schema: {
        ...{ tags, summary: 'Recompute an account from its ledger', params: accountParams },
        response: { 200: driftList },
      },
    },
    async (request) => ({
      items: await verifyAccount(database, reviewerOf(request), request.params.user_id),
    }),
  );
}

function serveChanges({ http, database }: Pick<Platform, 'http' | 'database'>): void {
  const params = accountParams;
  http.post(`${account}/grants`, changes('Grant credits', { params, body: grantBody }), async (request) => {
    const { body } = request;
    const action: AccountAction = { do: 'grant', body };
    const call = callOf(request, body.reason);
    return answer(request, await operateAccount(database, call, request.params.user_id, action));
  });
  http.post(
    `${account}/adjustments`,
    changes('Correct an account, up or down', { params, body: adjustBody }),
    async (request) => {
      const { body } = request;
      const call = callOf(request, body.reason);
      const action: AccountAction = { do: 'adjust', body };
      return answer(request, await operateAccount(database, call, request.params.user_id, action));
    },
  );
  http.post(
    `${account}/refunds`,
    changes('Give usage back, never above what it cost', { params, body: refundBody }),
    async (request) => {
      const { body } = request;
      const call = callOf(request, body.reason);
      const action: AccountAction = { do: 'refund', body };
      return answer(request, await operateAccount(database, call, request.params.user_id, action));
    },
  );
  http.post(
    `${account}/grants/:grant_id/revoke`,
    changes('Take back what is left of a grant', { params: grantParams, body: revokeBody }),
    async (request) => {
      const { user_id: userId, grant_id: grantId } = request.params;
      const call = callOf(request, request.body.reason);
      return answer(request, await operateAccount(database, call, userId, { do: 'revoke', grantId }));
    },
  );
  http.post(
    `${account}/tier`,
    changes('Change the tier of an account', { params, body: changeTierBody }),
    async (request) => {
      const { body } = request;
      const call = callOf(request, body.reason);
      const action: AccountAction = { do: 'change_tier', body };
      return answer(request, await operateAccount(database, call, request.params.user_id, action));
    },
  );
}
