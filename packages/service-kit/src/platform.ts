import type { NatsConnection } from '@nats-io/transport-node';
import type { ServiceName } from '@swissbrain/shared-schema/ids';
import { sql } from 'kysely';
import type { Registry } from 'prom-client';
import { type Clock, systemClock } from './clock.ts';
import type { BaseConfig } from './config.ts';
import { createDatabase, type Database } from './database.ts';
import { closeHttp, createHttp, type Http } from './http.ts';
import { createJobs, type Jobs } from './jobs.ts';
import { createReleaseStack, type ReleaseStack, type RunningService } from './lifecycle.ts';
import { createLogger, type Logger } from './logger.ts';
import { startMaintenance } from './maintenance.ts';
import { createMetrics } from './metrics.ts';
import { connectNats } from './nats.ts';
import { type OutboxRelay, type OutboxRelayOptions, startOutboxRelay } from './outbox-relay.ts';
import { createRpc, type Rpc } from './rpc.ts';
import { requireCurrentSchema } from './schema-version.ts';
import { registerStreamMetrics } from './stream-metrics.ts';
import { ensureStreams } from './streams.ts';
import { startTelemetry } from './telemetry.ts';

/** Everything a service stands on, acquired in order and released in reverse. */
export interface Platform {
  readonly service: ServiceName;
  readonly config: BaseConfig;
  readonly log: Logger;
  readonly clock: Clock;
  readonly metrics: Registry;
  readonly database: Database;
  readonly nats: NatsConnection;
  /** False from the loss of NATS until it is back; what is published meanwhile gathers in memory. */
  readonly isNatsConnected: () => boolean;
  /** Calls `listener` after every reconnection; returns the undo. */
  readonly onNatsReconnect: (listener: () => void) => () => void;
  readonly rpc: Rpc;
  readonly jobs: Jobs;
  readonly http: Http;
  readonly release: ReleaseStack;
}

/** What only tests set. */
export type PlatformOptions = Pick<OutboxRelayOptions, 'findDefinition'>;

/**
 * Opens telemetry, database, NATS with its streams, the outbox relay, jobs, rpc and http (not yet listening).
 * @throws Error when NATS cannot be reached; what was opened is released then. A database or Redis that is
 *   down does not fail the start: `/readyz` says so until they are back.
 */
export async function openPlatform(
  service: ServiceName,
  config: BaseConfig,
  options: PlatformOptions = {},
): Promise<Platform> {
  const log = createLogger({ service, level: config.LOG_LEVEL });
  const release = createReleaseStack(log);
  try {
    return await acquireAll(service, config, log, release, options);
  } catch (thrown) {
    await release.release(config.SHUTDOWN_DEADLINE_MS);
    throw thrown;
  }
}

async function acquireAll(
  service: ServiceName,
  config: BaseConfig,
  log: Logger,
  release: ReleaseStack,
  options: PlatformOptions,
): Promise<Platform> {
  const clock = systemClock;
  release.add('telemetry', await startTelemetry({ service, endpoint: config.OTEL_EXPORTER_OTLP_ENDPOINT }));
  const metrics = createMetrics(service);
  release.add('metrics', () => metrics.clear());

  let relay: OutboxRelay | undefined;
  const database = createDatabase({ service, config, log, onOutboxAppend: () => relay?.wake() });
  release.add('database', () => database.close());

  const nats = await connectNats(service, config, log);
  release.add('nats', () => nats.connection.close());
  await ensureStreams(nats.connection, config);
  registerStreamMetrics(metrics, nats.connection, log);

  const jobs = createJobs(service, config, log, clock);
  release.add('jobs', () => jobs.close());
  const rpc = createRpc(nats.connection, log, clock);
  release.add('rpc', () => rpc.close());

  relay = startOutboxRelay({ ...options, service, config, log, clock, metrics, database, nats });
  release.add('outbox relay', () => relay?.stop());

  const maintenance = startMaintenance(database, log);
  release.add('maintenance', () => maintenance.stop());

  let stopping = false;
  const http = await createHttp({
    service,
    config,
    log,
    metrics,
    database,
    isStopping: () => stopping,
    checks: {
      postgres: async () => void (await database.serviceStatement(sql`SELECT 1`)),
      schema: () => requireCurrentSchema(database),
      nats: async () => void (await nats.connection.flush()),
      redis: () => jobs.ping(),
    },
  });
  release.add('http', () => closeHttp(http));
  release.add('readiness', () => {
    stopping = true;
  });
  return {
    service,
    config,
    log,
    clock,
    metrics,
    database,
    nats: nats.connection,
    isNatsConnected: nats.isConnected,
    onNatsReconnect: nats.onReconnect,
    rpc,
    jobs,
    http,
    release,
  };
}

/**
 * Starts to listen; call it last. Stopping takes the whole platform down within `SHUTDOWN_DEADLINE_MS`.
 * @throws Error when the address cannot be had; the platform is released then
 */
export async function serve(platform: Platform): Promise<RunningService> {
  const { http, config, release, log } = platform;
  const stop = () => release.release(config.SHUTDOWN_DEADLINE_MS);
  try {
    const url = await http.listen({ host: config.HOST, port: config.PORT });
    release.add('listener', () => closeHttp(http));
    log.info({ url }, 'listening');
    return { url, stop };
  } catch (thrown) {
    await stop();
    throw thrown;
  }
}
