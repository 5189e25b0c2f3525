import { baseConfigSchema, parseConfig } from '@swissbrain/service-kit/config';
import { createDatabase, type Database, type Principal } from '@swissbrain/service-kit/database';
import { createLogger } from '@swissbrain/service-kit/logger';
import type { ServiceName } from '@swissbrain/shared-schema/ids';
import type { TestDatabase } from './database.ts';
import { serviceEnvironment } from './environment.ts';

/** Nothing listens on the discard port: a database needs neither NATS nor Redis. */
const absent = { nats: { url: 'nats://127.0.0.1:9' }, redis: { url: 'redis://127.0.0.1:9' } };

/**
 * The database as a service reaches it, under its roles and nothing else, for tests of what lives in the database.
 * `connections` is how many transactions can be open at once.
 */
export function openServiceDatabase<DB = unknown>(
  service: ServiceName,
  database: Pick<TestDatabase, 'adminUrl'>,
  { connections = 4 }: { connections?: number } = {},
): Database<DB> {
  const overrides = { DATABASE_POOL_SIZE: String(connections) };
  const config = parseConfig(
    baseConfigSchema,
    serviceEnvironment(service, { ...absent, database, overrides }),
  );
  return createDatabase<DB>({ service, config, log: createLogger({ service, level: 'silent' }) });
}

/** The principal that a token of that user makes. */
export function principalFor(userId: string): Principal {
  return { userId, tenantId: null, scopes: [], claims: { sub: userId, role: 'authenticated' } };
}
