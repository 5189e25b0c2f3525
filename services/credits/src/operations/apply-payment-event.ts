import type { Database } from '@swissbrain/service-kit/database';
import { describeError } from '@swissbrain/service-kit/errors';
import type { Logger } from '@swissbrain/service-kit/logger';
import type { Registry } from '@swissbrain/service-kit/metrics';
import type Stripe from 'stripe';
import { accountStatus, type PaymentEvent, tierOf } from '../domain/payments.ts';
import { errors } from '../errors.ts';
import * as store from '../store/payments.ts';
import { readGivenBack, readSubscription } from '../stripe/answers.ts';
import type { StripeSettings } from '../stripe/client.ts';
import { findDifference, raisedPrefix } from './differ-subscription.ts';
import { explainFailure } from './ledger-failures.ts';
import { tellDrift } from './tell-drift.ts';

/** What payments are applied with. */
export interface Payments {
  readonly database: Database;
  readonly log: Logger;
  readonly metrics: Registry;
  readonly stripe: Stripe;
  readonly settings: StripeSettings;
}

/** About four days of attempts, as long as the provider repeats its deliveries. */
const mostAttempts = 100;

/** Stores an event and applies it, unless somebody else is at it just now; true when it needs no further attempt. */
export async function takeEvent(payments: Payments, event: PaymentEvent): Promise<boolean> {
  const { database, settings } = payments;
  const { outcome, claimed } = await database.withService(async (tx) => {
    const stored = await store.storeEvent(tx, event);
    const [mine] = await store.claimEvents(tx, { ...claimOptions(settings), id: event.id });
    return { ...stored, claimed: mine };
  });
  return outcome !== null || (claimed !== undefined && (await attempt(payments, claimed)));
}

/** Applies one event that is due; false when there is none. */
export async function applyDueEvent(payments: Payments): Promise<boolean> {
  const { database, settings } = payments;
  const [claimed] = await database.withService((tx) => store.claimEvents(tx, claimOptions(settings)));
  if (claimed) await attempt(payments, claimed);
  return claimed !== undefined;
}

const claimOptions = ({ retrySeconds }: StripeSettings) => ({ id: null, limit: 1, retrySeconds });

/** A failure stays with the event, which is tried again when its next attempt is due. */
async function attempt(payments: Payments, event: store.ClaimedEvent): Promise<boolean> {
  const { database, log } = payments;
  const about = { payment_event: event.id, type: event.type, attempts: event.attempts };
  try {
    const outcome = await apply(payments, event);
    if (event.type.startsWith(raisedPrefix) && outcome !== 'unchanged') {
      tellDrift(payments, event.type.slice(raisedPrefix.length), event.subject_ref);
    }
    if (outcome === 'unknown_user' || outcome === 'exceeds_original') {
      log.error({ ...about, outcome, subject: event.subject_ref }, 'a payment fits no account as it is');
    }
    return true;
  } catch (thrown) {
    const reason = describeError(thrown);
    const lost = event.attempts >= mostAttempts;
    if (lost) log.error({ ...about, reason }, 'a payment event was given up');
    else log.warn({ ...about, reason }, 'a payment event could not be applied yet');
    await database.withService(async (tx) => {
      await store.noteFailure(tx, event.id, reason);
      if (lost) await store.finishEvent(tx, event.id, 'given_up');
    });
    return lost;
  }
}

/** Asks how it stands, outside any transaction; then effect and end of the event are one. */
function apply(payments: Payments, event: store.ClaimedEvent): Promise<store.Outcome> {
  return event.subject === 'charge' ? applyRefund(payments, event) : applySubscription(payments, event);
}

async function applySubscription(
  { database, stripe, settings }: Payments,
  event: store.ClaimedEvent,
): Promise<store.Outcome> {
  const bought = await readSubscription(stripe, event.subject_ref);
  const status = accountStatus(bought.status);
  const tier = tierOf(bought.prices, settings.prices);
  if (status !== null && status !== 'ended' && tier === null) {
    throw errors.tier_not_found(`no tier of STRIPE_PRICES is bought by ${bought.prices.join(', ')}`);
  }
  return database.withService(async (tx) => {
    if (event.type.startsWith(raisedPrefix) && !(await findDifference(tx, bought, settings.prices))) {
      return finish(tx, event, 'unchanged');
    }
    const userId = (await store.findSubscriber(tx, bought.ref)) ?? bought.userId;
    if (status === null || userId === null) {
      return finish(tx, event, userId === null ? 'unknown_user' : 'ignored');
    }
    const { ref: subscription, customer, ends } = bought;
    const done = await store
      .syncSubscription(tx, { userId, subscription, customer, asOf: event.as_of, status, tier, ends })
      .catch(explainFailure);
    if (done === 'stale') throw errors.payment_event_pending('a later state was applied while this was read');
    if (done === 'occupied') throw errors.subscription_bought('another subscription keeps the account');
    return finish(tx, event, done);
  });
}

async function applyRefund(
  { database, stripe, settings }: Payments,
  event: store.ClaimedEvent,
): Promise<store.Outcome> {
  const { subscription, prices, paid, refunded } = await readGivenBack(stripe, event.subject_ref);
  const bought = subscription === null ? null : await readSubscription(stripe, subscription);
  const tier = tierOf(prices, settings.prices);
  return database.withService(async (tx) => {
    if (bought === null || tier === null || refunded === 0n) return finish(tx, event, 'ignored');
    const userId = (await store.findSubscriber(tx, bought.ref)) ?? bought.userId;
    if (userId === null) return finish(tx, event, 'unknown_user');
    const refund = { userId, charge: event.subject_ref, tier, paid, refunded };
    return finish(tx, event, await store.refundPayment(tx, refund).catch(explainFailure));
  });
}

async function finish(
  tx: Parameters<typeof store.finishEvent>[0],
  event: store.ClaimedEvent,
  outcome: store.Outcome,
): Promise<store.Outcome> {
  await store.finishEvent(tx, event.id, outcome);
  return outcome;
}
