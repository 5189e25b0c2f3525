import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { baseConfigSchema, ConfigError, parseConfig } from './config.ts';

const good = {
  DATABASE_URL: 'postgres://db/x',
  NATS_URL: 'nats://nats:4222',
  REDIS_URL: 'redis://redis:6379',
  AUTH_JWT_SECRET: 'x'.repeat(32),
};

function problemsOf(environment: Record<string, string | undefined>): readonly string[] {
  try {
    parseConfig(baseConfigSchema, environment);
  } catch (thrown) {
    if (thrown instanceof ConfigError) return thrown.problems;
    throw thrown;
  }
  return [];
}

describe('configuration', () => {
  it('has defaults for all but addresses and keys, and is frozen', () => {
    const config = parseConfig(baseConfigSchema, good);
    expect(config).toMatchObject({
      PORT: 0,
      HOST: '127.0.0.1',
      JOBS_PREFIX: 'sb',
      SHUTDOWN_DEADLINE_MS: 8_000,
    });
    expect(Object.isFrozen(config)).toBe(true);
  });

  it('reports all problems at once, without values', () => {
    const problems = problemsOf({ PORT: '70000', REDIS_URL: 'http://s3cret', LOG_LEVEL: 'loud' });
    const names = problems.map((problem) => problem.split(':')[0]);
    expect(names).toEqual(
      expect.arrayContaining([
        'PORT',
        'REDIS_URL',
        'LOG_LEVEL',
        'DATABASE_URL',
        'NATS_URL',
        'AUTH_JWT_SECRET or AUTH_JWKS_URL',
      ]),
    );
    expect(problems.join()).not.toContain('s3cret');
  });

  it('takes an empty value for an absent one', () => {
    expect(problemsOf({ ...good, OTEL_EXPORTER_OTLP_ENDPOINT: '', PUBLIC_URL: '' })).toEqual([]);
    expect(problemsOf({ ...good, AUTH_JWT_SECRET: '' })).toHaveLength(1);
    expect(problemsOf({ ...good, AUTH_JWT_SECRET: undefined, AUTH_JWKS_URL: 'https://id/keys' })).toEqual([]);
  });

  it('is extended by a service', () => {
    const schema = baseConfigSchema.extend({ SEATS: z.coerce.number().int().default(3) });
    expect(parseConfig(schema, { ...good, SEATS: '5' }).SEATS).toBe(5);
    expect(() => parseConfig(schema, { ...good, SEATS: 'five' })).toThrow(/SEATS/);
  });
});
