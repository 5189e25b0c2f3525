import type { Registry } from 'prom-client';
import { describeError } from './errors.ts';
import type { Http } from './http-types.ts';

/** Asks one dependency; rejects when the service cannot work without it at the moment. */
export type ReadinessCheck = () => Promise<void>;

const checkTimeoutMs = 2_000;
const quiet = { schema: { hide: true }, config: { rateLimit: false as const }, logLevel: 'silent' as const };

/**
 * `/healthz` says that the process answers and asks nobody: a dependency that is down is no reason to restart it.
 * `/readyz` asks every dependency and fails during shutdown. `/metrics` is for Prometheus.
 */
export function serveHealth(
  http: Http,
  options: {
    readonly checks: Readonly<Record<string, ReadinessCheck>>;
    readonly isStopping: () => boolean;
    readonly metrics: Registry;
  },
): void {
  http.get('/healthz', quiet, () => ({ status: 'ok' }));
  http.get('/readyz', quiet, async (_request, reply) => {
    const entries = Object.entries(options.checks).map(
      async ([name, check]) => [name, await probe(check)] as const,
    );
    const checks = Object.fromEntries(await Promise.all(entries));
    const ready = !options.isStopping() && Object.values(checks).every((state) => state === 'up');
    return reply.status(ready ? 200 : 503).send({ status: ready ? 'ready' : 'not_ready', checks });
  });
  http.get('/metrics', quiet, async (_request, reply) =>
    reply.header('content-type', options.metrics.contentType).send(await options.metrics.metrics()),
  );
}

async function probe(check: ReadinessCheck): Promise<string> {
  const { promise: timedOut, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${checkTimeoutMs} ms`)), checkTimeoutMs);
  try {
    await Promise.race([check(), timedOut]);
    return 'up';
  } catch (thrown) {
    return describeError(thrown);
  } finally {
    clearTimeout(timer);
  }
}
