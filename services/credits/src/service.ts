import { startConsumers } from '@swissbrain/service-kit/consumer';
import { serveDeadLetters } from '@swissbrain/service-kit/dead-letter-routes';
import type { RunningService } from '@swissbrain/service-kit/lifecycle';
import { openPlatform, type Platform, serve } from '@swissbrain/service-kit/platform';
import type { Config } from './config.ts';
import { consumers } from './consumers/consumers.ts';
import { startPaymentReconcilers } from './jobs/payments.ts';
import { startReconcilers } from './jobs/reconcilers.ts';
import { serveAccount } from './routes/account.ts';
import { serveAlerts } from './routes/alerts.ts';
import { serveBilling } from './routes/billing.ts';
import { serveCatalogue } from './routes/catalogue.ts';
import { serveDrift } from './routes/drift.ts';
import { serveEstimate } from './routes/estimate.ts';
import { serveOperatorAccounts } from './routes/operator-accounts.ts';
import { serveOperatorCatalogue } from './routes/operator-catalogue.ts';
import { serveOperatorLists } from './routes/operator-lists.ts';
import { serveSubscription } from './routes/subscription.ts';
import { serveUsage } from './routes/usage.ts';
import { serveHolds } from './rpc/holds.ts';
import { openStripe, stripeSettings } from './stripe/client.ts';

/**
 * Starts credits: everything it needs is opened here and released in reverse, on stop and on a failed start.
 * @throws whatever kept a part from starting, after the others have been released
 */
export async function startService(config: Config): Promise<RunningService> {
  const platform = await openPlatform('credits', config);
  try {
    serveAccount(platform);
    serveCatalogue(platform);
    serveSubscription(platform);
    serveAlerts(platform);
    serveUsage(platform);
    serveEstimate(platform, config);
    serveOperatorAccounts(platform);
    serveOperatorCatalogue(platform);
    serveOperatorLists(platform);
    serveDrift(platform, config);
    serveHolds(platform);
    servePayments(platform, config);
    const definitions = consumers(config);
    serveDeadLetters(platform, definitions);
    await startConsumers(platform, definitions);
    startReconcilers(platform, config);
    return await serve(platform);
  } catch (thrown) {
    await platform.release.release(config.SHUTDOWN_DEADLINE_MS);
    throw thrown;
  }
}

/** Without Stripe's key there is none of this: operators grant and change tiers. */
function servePayments(platform: Platform, config: Config): void {
  const settings = stripeSettings(config);
  if (settings === null) return;
  const { database, log, metrics } = platform;
  const payments = { database, log, metrics, stripe: openStripe(settings), settings };
  serveBilling(platform, payments);
  startPaymentReconcilers(platform, payments, config);
}
