import type { Config } from '../config.ts';
import { applyDueEvent, type Payments } from '../operations/apply-payment-event.ts';
import type { Reconciler } from './loop.ts';

/** Applies events of the payment provider that were stored and, by a crash or a failure, not applied. */
export function paymentReconciler(payments: Payments, config: Config): Reconciler {
  return {
    name: 'payment events',
    everyMs: config.STRIPE_SWEEP_MS,
    round: () => applyDueEvent(payments),
  };
}
