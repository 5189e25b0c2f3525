import { type BaseConfig, parseConfig } from '@swissbrain/service-kit/config';
import type { RunningService } from '@swissbrain/service-kit/lifecycle';
import type { ServiceName } from '@swissbrain/shared-schema/ids';
import type { z } from 'zod';
import { createTestDatabase, type TestDatabase } from './database.ts';
import { serviceEnvironment } from './environment.ts';
import { startTestNats } from './nats.ts';
import { startTestRedis } from './redis.ts';

/** A service that runs in this process, on a database, a NATS and a Redis of its own. */
export interface ServiceUnderTest {
  readonly url: string;
  readonly database: TestDatabase;
  /** Stops the service and everything under it. */
  stop(): Promise<void>;
}

export interface ServiceUnderTestOptions<C extends BaseConfig> {
  readonly service: ServiceName;
  readonly configSchema: z.ZodType<C>;
  readonly start: (config: C) => Promise<RunningService>;
  /** Environment variables beside those that every service gets. */
  readonly overrides?: Readonly<Record<string, string>>;
}

/** Starts a service the way its process does, from an environment. */
export async function startServiceUnderTest<C extends BaseConfig>(
  options: ServiceUnderTestOptions<C>,
): Promise<ServiceUnderTest> {
  await using opened = new AsyncDisposableStack();
  const database = opened.adopt(await createTestDatabase(), (clone) => clone.drop());
  const [nats, redis] = await Promise.all([startTestNats(), startTestRedis()]);
  opened.defer(() => nats.stop());
  opened.defer(() => redis.stop());
  const { service, configSchema, overrides = {} } = options;
  const config = parseConfig(configSchema, serviceEnvironment(service, { database, nats, redis, overrides }));
  const running = opened.adopt(await options.start(config), (started) => started.stop());
  const owned = opened.move();
  return { url: running.url, database, stop: () => owned.disposeAsync() };
}
