import { z } from 'zod';

const port = z.coerce.number().int().min(0).max(65_535);
const milliseconds = z.coerce.number().int().positive();

/**
 * The variables that every service reads; a service extends it with its own. An empty value counts as absent.
 * One of `AUTH_JWT_SECRET` and `AUTH_JWKS_URL` is required, which {@link parseConfig} checks.
 */
export const baseConfigSchema = z.object({
  NODE_ENV: z.enum(['development', 'test', 'production']).default('development'),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  HOST: z.string().min(1).default('127.0.0.1'),
  /** 0 takes a free port. */
  PORT: port.default(0),
  /** The address that clients use, for links in answers. */
  PUBLIC_URL: z.url().optional(),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }),
  /** When set, each pooled connection becomes this role first; for tests on a given superuser. */
  DATABASE_SESSION_ROLE: z
    .string()
    .regex(/^[a-z][a-z0-9_]{0,62}$/)
    .optional(),
  DATABASE_POOL_SIZE: z.coerce.number().int().min(1).max(500).default(10),
  DATABASE_STATEMENT_TIMEOUT_MS: milliseconds.default(30_000),
  NATS_URL: z.string().min(1),
  NATS_USER: z.string().optional(),
  NATS_PASSWORD: z.string().optional(),
  /** How long the event stream keeps events. */
  NATS_STREAM_MAX_AGE_HOURS: z.coerce.number().int().positive().default(72),
  /** A full stream refuses events, which the outbox then holds; -1 leaves the limit to the server. */
  NATS_STREAM_MAX_BYTES: z.coerce.number().int().min(-1).default(-1),
  NATS_STREAM_REPLICAS: z.coerce.number().int().min(1).max(5).default(1),
  REDIS_URL: z.url({ protocol: /^rediss?$/ }),
  /**
   * A connection to Redis that owes an answer for so long is given up for a new one: its server may have vanished
   * without a word. Workers without work hear from Redis every 5 s.
   */
  REDIS_TIMEOUT_MS: milliseconds.min(6_000).default(15_000),
  /** Keeps the queues of several installations on one Redis apart. */
  JOBS_PREFIX: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,60}$/)
    .default('sb'),
  AUTH_JWT_SECRET: z.string().min(32).optional(),
  AUTH_JWKS_URL: z.url().optional(),
  AUTH_ISSUER: z.string().min(1).optional(),
  AUTH_AUDIENCE: z.string().min(1).optional(),
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url().optional(),
  SHUTDOWN_DEADLINE_MS: milliseconds.default(8_000),
  BODY_LIMIT_BYTES: z.coerce.number().int().positive().default(1_048_576),
  /** Requests a minute per user, or per address where there is no user. */
  RATE_LIMIT_PER_MINUTE: z.coerce.number().int().positive().default(6_000),
});
export type BaseConfig = z.infer<typeof baseConfigSchema>;

/** The configuration cannot be used; carries every problem, none with a value, which may be a secret. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`invalid configuration:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}

/**
 * Reads a configuration from environment variables; unknown variables are ignored.
 * @throws ConfigError with all problems at once
 */
export function parseConfig<S extends z.ZodType>(
  schema: S,
  environment: Readonly<Record<string, string | undefined>>,
): Readonly<z.infer<S>> {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value));
  const result = schema.safeParse(given);
  const problems = (result.error?.issues ?? []).map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  if (!given.AUTH_JWT_SECRET && !given.AUTH_JWKS_URL) {
    problems.push('AUTH_JWT_SECRET or AUTH_JWKS_URL: one of them is required');
  }
  if (!result.success || problems.length > 0) throw new ConfigError(problems);
  return Object.freeze(result.data);
}
