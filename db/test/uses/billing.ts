import { expireGrants, findAccount, renewAccounts } from '../../../services/credits/src/store/accounts.ts';
import {
  claimCancellation,
  countCancellations,
  finishCancellation,
} from '../../../services/credits/src/store/cancellations.ts';
import { selectPrices, selectTiers } from '../../../services/credits/src/store/catalogue.ts';
import {
  claimPage,
  findAccountState,
  lastCompared,
  raiseEvent,
  selectBoughtRefs,
  selectTierPositions,
} from '../../../services/credits/src/store/comparisons.ts';
import {
  claimIncompleteClosings,
  consumeUsage,
  expireHolds,
  recordClosing,
  reserveCredits,
} from '../../../services/credits/src/store/ledger.ts';
import { claimEvents, finishEvent } from '../../../services/credits/src/store/payments.ts';
import { selectReservations } from '../../../services/credits/src/store/reservations.ts';
import {
  selectAudit,
  selectDenials,
  selectPriceVersions,
  selectTierVersions,
} from '../../../services/credits/src/store/reviews.ts';
import { selectTransactions } from '../../../services/credits/src/store/transactions.ts';
import { selectUsage, selectUsageEntries } from '../../../services/credits/src/store/usage.ts';
import { filledId } from '../filled.ts';
import { type Guards, statement, type Use } from './use.ts';

const store = 'services/credits/src/store';
const service = { service: 'credits' } as const;
/** The user with the most of everything. */
const userId = filledId('user', 0) as Parameters<typeof findAccount>[1];
const user = { ...service, userId } as const;
type RunId = Parameters<typeof recordClosing>[1]['runId'];
const run = filledId('run', 50) as RunId;
const newRun = filledId('new run', 0) as RunId;
const position = { createdAt: '2099-01-01T00:00:00Z', id: filledId('nobody', 0) };
const everything = 'all of the catalogue is asked for, and all of it is current';

/** Uses of the tables of billing. */
export const billingUses: readonly Use[] = [
  {
    by: 'GET /v1/credits',
    file: `${store}/accounts.ts`,
    indexes: ['credit_balances_pkey', 'user_subscriptions_live_idx'],
    as: user,
    run: ({ tx }) => findAccount(tx, userId),
  },
  {
    by: 'GET /v1/credits/transactions, further pages',
    file: `${store}/transactions.ts`,
    indexes: ['credit_transactions_user_idx'],
    as: user,
    run: ({ tx }) => selectTransactions(tx, { userId, after: position, limit: 21 }),
  },
  {
    by: 'GET /v1/credits/reservations, all and of one run',
    file: `${store}/reservations.ts`,
    indexes: ['credit_reservations_list_idx', 'credit_reservations_run_key'],
    as: user,
    run: async ({ tx }) => {
      await selectReservations(tx, { userId, after: position, limit: 21, runId: undefined });
      await selectReservations(tx, { userId, after: undefined, limit: 21, runId: run });
    },
  },
  {
    by: 'GET /v1/tiers',
    file: `${store}/catalogue.ts`,
    indexes: [],
    as: user,
    run: ({ tx }) => selectTiers(tx),
    sweeps: { subscription_tiers: everything },
  },
  {
    by: 'GET /v1/prices',
    file: `${store}/catalogue.ts`,
    indexes: [],
    as: user,
    run: ({ tx }) => selectPrices(tx),
    sweeps: { credit_pricing: everything },
  },
  {
    by: 'the tiers up to a place in their order',
    indexes: ['subscription_tiers_position_key'],
    as: service,
    run: statement('SELECT code FROM subscription_tiers WHERE position > 3 ORDER BY position LIMIT 5'),
  },
  {
    by: 'the monthly job',
    file: `${store}/accounts.ts`,
    indexes: [
      'user_subscriptions_due_idx',
      'subscription_tier_versions_due_idx',
      'subscription_tiers_pkey',
      'credit_grants_source_key',
      'credit_balances_pkey',
    ],
    as: service,
    run: ({ tx }) => renewAccounts(tx, 10),
  },
  {
    by: 'run.requested: a hold',
    file: `${store}/ledger.ts`,
    indexes: [
      'credit_reservations_run_key',
      'credit_reservations_waiting_idx',
      'credit_reservations_active_idx',
      'credit_idempotency_pkey',
      'user_subscriptions_live_idx',
    ],
    as: service,
    run: ({ tx }) =>
      reserveCredits(tx, {
        ...{
          userId,
          runId: newRun,
          key: 'reserve',
          amount: 1_000_000n,
          minimum: 0n,
          budget: null,
          purpose: 'run',
          ttlSeconds: 60,
        },
      } as Parameters<typeof reserveCredits>[1]),
    sweeps: { credit_pricing: 'credits.reserved carries every price' },
  },
  {
    by: 'step.completed: usage',
    file: `${store}/ledger.ts`,
    indexes: ['credit_reservations_pkey', 'credit_idempotency_pkey', 'credit_pricing_version_key'],
    as: service,
    run: ({ tx }) =>
      consumeUsage(tx, [
        {
          ...{
            root_run_id: run,
            run_id: run,
            step_id: filledId('new step', 0),
            key: 'step',
            operation: 'web.search',
          },
          ...{ quantity: '1', occurred_at: new Date(0).toISOString() },
        },
      ] as unknown as Parameters<typeof consumeUsage>[1]),
  },
  {
    by: 'run.completed: are all steps recorded?',
    file: `${store}/ledger.ts`,
    indexes: ['credit_transactions_step_idx'],
    as: service,
    run: async ({ tx, query }) => {
      const live = (await query(
        `SELECT run_id FROM credit_reservations
         WHERE state = 'active' AND expires_at > now() + interval '30 seconds' AND closing_event IS NULL LIMIT 1`,
      )) as { rows: { run_id: RunId }[] };
      const runId = live.rows[0]?.run_id ?? run;
      await recordClosing(tx, {
        runId,
        event: 'run.completed',
        billableSteps: 1,
        stepIds: [filledId('step', 1)],
      });
    },
    sweeps: { credit_reservations: 'this test looks for a sample there' },
  },
  {
    by: 'ended runs whose steps are not all recorded',
    file: `${store}/ledger.ts`,
    indexes: ['credit_reservations_closing_idx'],
    as: service,
    run: ({ tx }) => claimIncompleteClosings(tx, { olderThanSeconds: 60, limit: 10 }),
  },
  {
    by: 'the sweep of overdue holds',
    file: `${store}/ledger.ts`,
    indexes: ['credit_reservations_overdue_idx', 'credit_grants_burn_idx'],
    as: service,
    run: ({ tx }) => expireHolds(tx, 10),
    sweeps: { credit_pricing: 'credits.reserved of the next run carries every price' },
  },
  {
    by: 'the sweep of expired grants',
    file: `${store}/accounts.ts`,
    indexes: ['credit_grants_expiry_idx', 'credit_balances_pkey'],
    as: service,
    run: ({ tx }) => expireGrants(tx, 10),
  },
  {
    by: 'credits.check: grants that have expired but are not swept',
    indexes: ['credit_grants_burn_idx'],
    as: service,
    run: statement(`SELECT * FROM check_credits($1, 'web.search', 1)`, userId),
  },
  {
    by: 'a refund: what has been refunded of an entry, and the entry',
    indexes: ['credit_transactions_reverses_idx', 'credit_transactions_pkey'],
    as: service,
    run: async ({ query }) => {
      await query('SELECT sum(amount_micro) FROM credit_transactions WHERE reverses_id = $1', [
        filledId('entry', 1),
      ]);
      await query(`SELECT amount_micro FROM credit_transactions WHERE id = $1 AND kind = 'consume'`, [
        filledId('entry', 1),
      ]);
    },
  },
  {
    by: "a user's usage of one operation over time",
    indexes: ['credit_transactions_usage_idx'],
    as: user,
    run: statement(
      `SELECT date_trunc('day', created_at), sum(quantity), sum(cost_micro) FROM credit_transactions
       WHERE user_id = $1 AND kind = 'consume' AND operation = 'web.search' AND created_at > now() - interval '1 day'
       GROUP BY 1`,
      userId,
    ),
  },
  {
    by: 'GET /v1/credits/usage and its export',
    file: `${store}/usage.ts`,
    indexes: ['credit_transactions_usage_idx'],
    as: user,
    run: async ({ tx }) => {
      const to = new Date('2099-01-01T00:00:00Z');
      const range = { userId, timeZone: 'UTC', from: new Date('2020-01-01T00:00:00Z'), to };
      await selectUsage(tx, { ...range, groupBy: 'run', after: undefined, limit: 21 });
      await selectUsageEntries(tx, { ...range, after: undefined, limit: 1000 });
    },
  },
  {
    by: 'an account is opened once, whatever has ended since',
    indexes: ['user_subscriptions_user_idx'],
    as: user,
    run: statement(
      'SELECT id, status FROM user_subscriptions WHERE user_id = $1 ORDER BY created_at DESC LIMIT 1',
      userId,
    ),
  },
  {
    by: 'a subscription as the payment provider names it',
    indexes: ['user_subscriptions_external_ref_key'],
    as: service,
    run: statement(`SELECT id FROM user_subscriptions WHERE external_ref = 'external-99'`),
  },
  {
    by: 'a subscription or a grant by its id',
    indexes: ['user_subscriptions_pkey', 'credit_grants_pkey'],
    as: service,
    run: async ({ query }) => {
      await query('SELECT status FROM user_subscriptions WHERE id = $1', [filledId('subscription', 1)]);
      await query('SELECT source FROM credit_grants WHERE id = $1', [filledId('grant', 1)]);
    },
  },
  {
    by: 'who is on a tier, before an operator changes it',
    indexes: ['user_subscriptions_tier_idx'],
    as: service,
    run: statement(
      `SELECT count(*) FROM user_subscriptions WHERE tier_code = 'enterprise' AND status <> 'ended'`,
    ),
  },
  {
    by: 'what the payment provider told: the sweeper, a repeated delivery, and a refund',
    file: `${store}/payments.ts`,
    indexes: ['payment_events_due_idx', 'payment_events_pkey', 'payment_refunds_pkey'],
    as: service,
    run: async ({ tx, query }) => {
      await claimEvents(tx, { id: null, limit: 1, retrySeconds: 1 });
      await claimEvents(tx, { id: 'evt_1', limit: 1, retrySeconds: 1 });
      await finishEvent(tx, 'evt_1', 'ignored');
      await query('SELECT user_id FROM payment_refunds WHERE charge_ref = $1', ['ch_1']);
    },
  },
  {
    by: 'the subscriptions of deleted users that are to end at the payment provider',
    file: `${store}/cancellations.ts`,
    indexes: ['payment_cancellations_due_idx', 'payment_cancellations_pkey'],
    as: service,
    run: async ({ tx }) => {
      await claimCancellation(tx, { retrySeconds: 1 });
      await finishCancellation(tx, 'sub_1', 'cancelled');
      await countCancellations(tx);
    },
  },
  {
    by: 'the comparison of subscriptions with the payment provider',
    file: `${store}/comparisons.ts`,
    indexes: ['user_subscriptions_external_ref_key', 'user_subscriptions_user_idx', 'payment_events_due_idx'],
    as: service,
    sweeps: { payment_comparisons: 'two rows', subscription_tiers: everything },
    run: async ({ tx }) => {
      await claimPage(tx, { leaseSeconds: 1 });
      await selectBoughtRefs(tx, { after: 'external-1', limit: 20 });
      await findAccountState(tx, { ref: 'external-1', userId });
      await selectTierPositions(tx);
      await raiseEvent(tx, { ref: 'external-1', type: 'comparison.tier', delaySeconds: 60 });
      await lastCompared(tx);
    },
  },
  {
    by: 'GET /v1/admin/audit, of all and of one account',
    file: `${store}/reviews.ts`,
    indexes: ['credit_audit_list_idx', 'credit_audit_user_idx'],
    as: service,
    run: async ({ tx }) => {
      await selectAudit(tx, { userId: undefined, after: position, limit: 21 });
      await selectAudit(tx, { userId, after: position, limit: 21 });
    },
  },
  {
    by: 'an action of an operator: was it done before?',
    indexes: ['credit_audit_request_key', 'credit_audit_pkey'],
    as: service,
    run: async ({ query }) => {
      await query('SELECT action FROM credit_audit WHERE operator_id = $1 AND key = $2', [
        filledId('user', 3),
        'key-3',
      ]);
      await query('SELECT action FROM credit_audit WHERE id = $1', [filledId('audit', 1)]);
    },
  },
  {
    by: 'GET /v1/admin/denials',
    file: `${store}/reviews.ts`,
    indexes: ['credit_reservations_denied_idx'],
    as: service,
    run: async ({ tx }) => {
      await selectDenials(tx, { after: position, limit: 21 });
    },
  },
  {
    by: 'the versions of a tier and of a price',
    file: `${store}/reviews.ts`,
    indexes: ['subscription_tier_versions_pkey', 'credit_pricing_version_key'],
    as: service,
    run: async ({ tx }) => {
      await selectTierVersions(tx, 'fill-7');
      await selectPriceVersions(tx, { operation: 'fill.7', after: undefined, limit: 21 });
    },
  },
  {
    by: 'a price that an entry names, and a version of one',
    indexes: ['credit_pricing_pkey', 'credit_pricing_version_key'],
    as: service,
    run: async ({ query }) => {
      await query('SELECT price_micro FROM credit_pricing WHERE id = $1', [filledId('price', 1)]);
      await query(`SELECT price_micro FROM credit_pricing WHERE operation = 'fill.7' AND version = 2`);
    },
  },
];

/** What the unique indexes of billing keep apart that no query uses. */
export const billingGuards: Guards = {
  payment_comparisons_pkey: 'one place per side; the table has two rows',
  user_subscriptions_customer_key: 'a customer of the payment provider is one account',
  subscription_tier_versions_time_key: 'a tier has one set of terms at a time',
  credit_pricing_no_overlap: 'an operation has one price at a time',
  credit_reservations_id_user_key: 'entries name the reservation with its account',
};
