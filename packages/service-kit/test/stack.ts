import { randomUUID } from 'node:crypto';
import { type BaseConfig, baseConfigSchema, parseConfig } from '@swissbrain/service-kit/config';
import type { Principal } from '@swissbrain/service-kit/database';
import { defineEvent, type EventDefinition } from '@swissbrain/shared-schema/events/envelope';
import type { ServiceName } from '@swissbrain/shared-schema/ids';
import { createTestDatabase, type TestDatabase } from '@swissbrain/testkit/database';
import { serviceEnvironment } from '@swissbrain/testkit/environment';
import { startTestNats } from '@swissbrain/testkit/nats';
import { startTestRedis } from '@swissbrain/testkit/redis';
import type { TestServer } from '@swissbrain/testkit/server';
import { pino } from 'pino';
import { z } from 'zod';

/** What a test file of the kit runs against. */
export interface Stack {
  readonly database: TestDatabase;
  readonly nats: TestServer;
  readonly redis: TestServer;
  config(service: ServiceName, overrides?: Readonly<Record<string, string>>): BaseConfig;
  stop(): Promise<void>;
}

export async function startStack(): Promise<Stack> {
  const [database, nats, redis] = await Promise.all([
    createTestDatabase(),
    startTestNats(),
    startTestRedis(),
  ]);
  return {
    database,
    nats,
    redis,
    config: (service, overrides = {}) =>
      parseConfig(baseConfigSchema, serviceEnvironment(service, { database, nats, redis, overrides })),
    stop: async () => void (await Promise.all([database.drop(), nats.stop(), redis.stop()])),
  };
}

export const quietLog = pino({ level: process.env.TEST_LOG_LEVEL ?? 'silent' });

export function principal(userId: string = randomUUID()): Principal {
  return { userId, tenantId: null, scopes: [], claims: { sub: userId, role: 'authenticated' } };
}

/** An event of credits that only these tests know. */
export const ticked = defineEvent({
  type: 'credits.ticked',
  version: 1,
  source: 'credits',
  aggregate: 'ticker',
  data: z.object({ number: z.number().int() }),
}) satisfies EventDefinition;

/** The same in another version, published beside the first. */
export const marked = defineEvent({
  ...{ type: ticked.type, version: 2, source: ticked.source, aggregate: ticked.aggregate },
  data: z.object({ mark: z.string() }),
  beside: [{ definition: ticked, toEarlier: ({ mark }) => ({ number: Number(mark) }) }],
}) satisfies EventDefinition;
