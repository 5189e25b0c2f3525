import { identifierOf, type ServiceName } from '@swissbrain/shared-schema/ids';
import type { TestDatabase } from './database.ts';
import { testSecret } from './tokens.ts';

/** The environment of a service under test: its own login role on the cloned database, free port, quiet log. */
export function serviceEnvironment(
  service: ServiceName,
  stack: {
    readonly database: Pick<TestDatabase, 'adminUrl'>;
    readonly nats: { readonly url: string };
    readonly redis: { readonly url: string };
    readonly overrides?: Readonly<Record<string, string>>;
  },
): Record<string, string> {
  return {
    NODE_ENV: 'test',
    LOG_LEVEL: process.env.TEST_LOG_LEVEL ?? 'silent',
    DATABASE_URL: stack.database.adminUrl,
    DATABASE_SESSION_ROLE: `sb_${identifierOf(service)}_login`,
    DATABASE_POOL_SIZE: '5',
    NATS_URL: stack.nats.url,
    REDIS_URL: stack.redis.url,
    AUTH_JWT_SECRET: testSecret,
    ...stack.overrides,
  };
}
