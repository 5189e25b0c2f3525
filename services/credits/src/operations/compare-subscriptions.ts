import { AppError, describeError } from '@swissbrain/service-kit/errors';
import { type Difference, repaired } from '../domain/comparison.ts';
import type { BoughtSubscription } from '../domain/payments.ts';
import * as store from '../store/comparisons.ts';
import { findSubscription, listSubscriptions } from '../stripe/answers.ts';
import type { Payments } from './apply-payment-event.ts';
import { findDifference, raisedPrefix } from './differ-subscription.ts';
import { tellDrift } from './tell-drift.ts';

/** How the comparison is paced. */
export interface ComparisonPace {
  /** Between the end of one round and the beginning of the next. */
  readonly everySeconds: number;
  /** So long what the provider tells may be on its way before a difference is drift. */
  readonly graceSeconds: number;
}

/** One request lists so many there; here each of a page is a request of its own. */
const pageSizes = { provider: 100, account: 20 } as const;
/** Longer than a page may take: twenty requests, each within its time. */
const leaseSeconds = 1_500;

interface Found {
  readonly items: readonly { readonly ref: string; readonly bought: BoughtSubscription | null }[];
  readonly next: string | null;
}

/**
 * Compares one page of subscriptions with the provider, in turn from its side and from ours, so that a delivery that never came
 * is noticed. What differs is looked at again by an event of its own once deliveries have had time; what no event could
 * repair is only told.
 * @returns false when no page is due
 */
export async function compareDuePage(payments: Payments, pace: ComparisonPace): Promise<boolean> {
  const { database, log, settings } = payments;
  const page = await database.withService((tx) => store.claimPage(tx, { leaseSeconds }));
  if (!page) return false;
  try {
    const { items, next } = await (page.side === 'provider' ? readTheirs : readOurs)(payments, page.cursor);
    for (const { ref, bought } of items) await compareOne(payments, ref, bought, pace.graceSeconds);
    const rest = { cursor: next, restSeconds: pace.everySeconds };
    await database.withService((tx) => store.finishPage(tx, page, rest));
    return true;
  } catch (thrown) {
    const error = describeError(thrown);
    log.warn({ side: page.side, reason: error }, 'subscriptions could not be compared');
    // A place that the provider refuses would be refused for good: the next round begins anew.
    const refused = thrown instanceof AppError && thrown.code === 'payment_provider_refused';
    const cursor = refused ? null : page.cursor;
    const rest = { cursor, restSeconds: settings.retrySeconds, error };
    await database.withService((tx) => store.failPage(tx, page, rest));
    return false;
  }
}

async function readTheirs({ stripe }: Payments, cursor: string | null): Promise<Found> {
  const { subscriptions, next } = await listSubscriptions(stripe, cursor, pageSizes.provider);
  return { items: subscriptions.map((bought) => ({ ref: bought.ref, bought })), next };
}

async function readOurs({ database, stripe }: Payments, cursor: string | null): Promise<Found> {
  const limit = pageSizes.account;
  const refs = await database.withService((tx) => store.selectBoughtRefs(tx, { after: cursor, limit }));
  const items: { ref: string; bought: BoughtSubscription | null }[] = [];
  for (const ref of refs) items.push({ ref, bought: await findSubscription(stripe, ref) });
  return { items, next: refs.length < limit ? null : (refs.at(-1) ?? null) };
}

async function compareOne(
  payments: Payments,
  ref: string,
  bought: BoughtSubscription | null,
  delaySeconds: number,
): Promise<void> {
  const { database, settings } = payments;
  const difference = await database.withService(async (tx): Promise<Difference | null> => {
    const found = bought === null ? 'missing' : await findDifference(tx, bought, settings.prices);
    if (found === null || !isRepaired(found)) return found;
    await store.raiseEvent(tx, { ref, type: `${raisedPrefix}${found}`, delaySeconds });
    return null;
  });
  if (difference !== null) tellDrift(payments, difference, ref);
}

const isRepaired = (difference: Difference): boolean => repaired.some((one) => one === difference);

/** When all was last compared, in seconds since 1970; null: never. */
export function findLastCompared({ database }: Pick<Payments, 'database'>): Promise<number | null> {
  return database.withService(store.lastCompared);
}
