import { join } from 'node:path';
import type { ServiceName } from '@swissbrain/shared-schema/ids';
import type { DatabaseAccess } from './database-roles.ts';
import { natsVariables } from './nats-access.ts';
import type { Secrets } from './secrets.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export interface ServiceEnvironmentOptions {
  readonly dataDir: string;
  readonly access: DatabaseAccess;
  readonly natsUrl: string;
  /** NATS is the stack's own and has a user for each service. */
  readonly natsRestricted: boolean;
  readonly redisUrl: string;
  readonly jwtSecret: string;
  readonly secrets: Secrets;
  /** The supervisor's own environment: what a service may take from it is named below, the rest stays out. */
  readonly environment: Environment;
}

// What any program needs to run, and what someone who looks into the services sets for all of them.
const forAll = [
  ...['PATH', 'HOME', 'USER', 'LANG', 'TMPDIR', 'NODE_EXTRA_CA_CERTS', 'NODE_OPTIONS'],
  ...['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'NODE_USE_ENV_PROXY'],
  ...['LOG_LEVEL', 'AUTH_ISSUER', 'AUTH_AUDIENCE', 'NATS_USER', 'NATS_PASSWORD'],
  ...['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_HEADERS', 'JOBS_PREFIX'],
  ...[
    'DATABASE_POOL_SIZE',
    'DATABASE_STATEMENT_TIMEOUT_MS',
    'REDIS_TIMEOUT_MS',
    'BODY_LIMIT_BYTES',
    'RATE_LIMIT_PER_MINUTE',
  ],
  ...['NATS_STREAM_MAX_AGE_HOURS', 'NATS_STREAM_MAX_BYTES', 'NATS_STREAM_REPLICAS'],
];

const forOne: Readonly<Partial<Record<ServiceName, readonly RegExp[]>>> = {
  'agent-runner': [
    /^(MODEL|MODES|ANTHROPIC|OPENAI|RUN|GOAL|ARTIFACTS|SANDBOX|STORAGE|RETENTION|REMOVAL|SEARCH|MCP|IMAGE|BROWSER|REMOTE|EMBEDDING)_/,
  ],
  credits: [/^(RESERVATION|RESEARCH|HOLD|PERIOD|TIER|DRIFT|CLOSING|STRIPE)_/],
};

/**
 * The environment of one service of the local stack. Nothing is inherited that is not named here: a service sees
 * its own database role and no other's secret.
 */
export function serviceEnvironment(
  service: ServiceName,
  port: number,
  options: ServiceEnvironmentOptions,
): Record<string, string> {
  return {
    ...pick(options.environment, (name) => forAll.includes(name)),
    ...pick(options.environment, (name) => (forOne[service] ?? []).some((pattern) => pattern.test(name))),
    NODE_ENV: 'development',
    HOST: '127.0.0.1',
    PORT: String(port),
    PUBLIC_URL: `http://127.0.0.1:${port}`,
    ...options.access[service],
    NATS_URL: options.natsUrl,
    ...(options.natsRestricted ? natsVariables(service, options.secrets.nats) : {}),
    REDIS_URL: options.redisUrl,
    AUTH_JWT_SECRET: options.jwtSecret,
    // Within the time that `stop` of the stack leaves to the services.
    SHUTDOWN_DEADLINE_MS: '4000',
    ...special(service, options),
  };
}

function special(
  service: ServiceName,
  { dataDir, secrets }: ServiceEnvironmentOptions,
): Record<string, string> {
  if (service !== 'agent-runner') return {};
  return {
    SANDBOX_DRIVER: 'local',
    SANDBOX_DIR: sandboxDir(dataDir),
    SANDBOX_SECRET: secrets.sandbox,
    STORAGE_DIR: join(dataDir, 'artifacts'),
    STORAGE_SIGNING_SECRET: secrets.storage,
  };
}

/** Where agent-runner keeps the sessions of its local sandboxes. */
export function sandboxDir(dataDir: string): string {
  return join(dataDir, 'sandboxes');
}

function pick(environment: Environment, wanted: (name: string) => boolean): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) =>
      value !== undefined && wanted(name) ? [[name, value]] : [],
    ),
  );
}
