import { gauge } from '@swissbrain/service-kit/metrics';
import type { Platform } from '@swissbrain/service-kit/platform';
import type { Config } from '../config.ts';
import { applyDueEvent, type Payments } from '../operations/apply-payment-event.ts';
import { cancelDueSubscription, countOpenCancellations } from '../operations/cancel-subscriptions.ts';
import { compareDuePage, findLastCompared } from '../operations/compare-subscriptions.ts';
import { driftCounter } from '../operations/tell-drift.ts';
import { type Reconciler, startReconciler } from './reconciler.ts';

/** Starts what goes on with payments without being asked. */
export function startPaymentReconcilers(platform: Platform, payments: Payments, config: Config): void {
  startReconciler(platform, eventReconciler(payments, config));
  startReconciler(platform, cancellationReconciler(platform, payments, config));
  startReconciler(platform, comparisonReconciler(platform, payments, config));
}

/** Applies events of the payment provider that were stored and, by a crash or a failure, not applied. */
function eventReconciler(payments: Payments, config: Config): Reconciler {
  return {
    name: 'payment events',
    everyMs: config.STRIPE_SWEEP_MS,
    round: () => applyDueEvent(payments),
  };
}

/** Ends the subscriptions of deleted users at the payment provider. */
function cancellationReconciler(platform: Platform, payments: Payments, config: Config): Reconciler {
  const open = gauge(
    platform.metrics,
    'credits_payment_cancellations_open',
    'Subscriptions of deleted users that the payment provider has not ended yet',
    [],
  );
  return {
    name: 'payment cancellations',
    everyMs: config.STRIPE_SWEEP_MS,
    async round() {
      const more = await cancelDueSubscription(payments);
      open.set(await countOpenCancellations(payments));
      return more;
    },
  };
}

/** Compares all subscriptions with the payment provider, in pages, so that a delivery that never came is noticed. */
function comparisonReconciler({ metrics }: Platform, payments: Payments, config: Config): Reconciler {
  const last = gauge(
    metrics,
    'credits_payment_compared_seconds',
    'When all subscriptions were last compared with the payment provider, in seconds since 1970; 0: not yet',
    [],
  );
  driftCounter(metrics);
  const pace = {
    everySeconds: config.STRIPE_COMPARE_SECONDS,
    graceSeconds: config.DRIFT_GRACE_SECONDS,
  };
  return {
    name: 'payment comparison',
    everyMs: config.STRIPE_SWEEP_MS,
    async round() {
      const more = await compareDuePage(payments, pace);
      last.set((await findLastCompared(payments)) ?? 0);
      return more;
    },
  };
}
