import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export { Registry } from 'prom-client';

/** A registry of its own per platform, with the process metrics of prom-client. */
export function createMetrics(service: string): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ service });
  collectDefaultMetrics({ register: registry });
  return registry;
}

/** A counter, or the one of that name that is there already. */
export function counter<L extends string>(
  registry: Registry,
  name: string,
  help: string,
  labels: readonly L[],
): Counter<L> {
  const existing = registry.getSingleMetric(name);
  if (existing instanceof Counter) return existing as Counter<L>;
  return new Counter({ name, help, labelNames: labels, registers: [registry] });
}

/** A gauge, or the one of that name that is there already. */
export function gauge<L extends string>(
  registry: Registry,
  name: string,
  help: string,
  labels: readonly L[],
): Gauge<L> {
  const existing = registry.getSingleMetric(name);
  if (existing instanceof Gauge) return existing as Gauge<L>;
  return new Gauge({ name, help, labelNames: labels, registers: [registry] });
}

/**
 * A histogram of seconds, or the one of that name that is there already.
 * @param buckets upper bounds; those of requests and statements where nothing else is said
 */
export function durations<L extends string>(
  registry: Registry,
  name: string,
  help: string,
  labels: readonly L[],
  buckets: readonly number[] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 120],
): Histogram<L> {
  const existing = registry.getSingleMetric(name);
  if (existing instanceof Histogram) return existing as Histogram<L>;
  return new Histogram({ name, help, labelNames: labels, buckets: [...buckets], registers: [registry] });
}
