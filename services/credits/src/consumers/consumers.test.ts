import { eventConsumers } from '@swissbrain/shared-schema/events/consumers';
import { testSecret } from '@swissbrain/testkit/tokens';
import { expect, it } from 'vitest';
import { configSchema } from '../config.ts';
import { consumers } from './consumers.ts';

it('are those that the permissions on NATS are made for', () => {
  const config = configSchema.parse({
    DATABASE_URL: 'postgres://localhost/none',
    NATS_URL: 'nats://localhost',
    REDIS_URL: 'redis://localhost',
    AUTH_JWT_SECRET: testSecret,
  });
  const declared = consumers(config).map(({ durable, event }) => [durable, event]);
  expect(Object.fromEntries(declared)).toEqual(eventConsumers.credits);
});
