import type { Logger } from '@swissbrain/service-kit/logger';
import { counter, type Registry } from '@swissbrain/service-kit/metrics';
import { repaired, reported } from '../domain/comparison.ts';

/** The counter of what differed, by what it was. */
export function driftCounter(metrics: Registry) {
  const name = 'credits_payment_drift_total';
  const known = metrics.getSingleMetric(name) !== undefined;
  const total = counter(metrics, name, 'Subscriptions that differed from the payment provider', ['what']);
  if (!known) for (const what of [...repaired, ...reported]) total.inc({ what }, 0);
  return total;
}

/** Tells operators that a subscription here is not what it is at the provider. */
export function tellDrift(
  { log, metrics }: { readonly log: Logger; readonly metrics: Registry },
  what: string,
  subscription: string,
): void {
  driftCounter(metrics).inc({ what });
  log.error({ what, subscription }, 'a subscription differs from the payment provider');
}
