import { describe, expect, test } from 'vitest';
import { configSchema } from './config.ts';

const needed = {
  DATABASE_URL: 'postgresql://localhost/db',
  NATS_URL: 'nats://localhost',
  REDIS_URL: 'redis://localhost',
};
const stripe = {
  STRIPE_SECRET_KEY: 'sk_1',
  STRIPE_WEBHOOK_SECRET: 'whsec_1',
  STRIPE_PRICES: 'pro=price_1,team=price_2',
};
const problemsOf = (settings: object) =>
  configSchema.safeParse({ ...needed, ...settings }).error?.issues.map(({ path }) => path.join('.')) ?? [];

describe('payments', () => {
  test('are off by default, and on with all they need', () => {
    expect(problemsOf({})).toEqual([]);
    expect(configSchema.parse({ ...needed, ...stripe }).STRIPE_PRICES).toEqual(
      new Map([
        ['pro', 'price_1'],
        ['team', 'price_2'],
      ]),
    );
    expect(problemsOf({ STRIPE_SECRET_KEY: 'sk_1' })).toEqual(['STRIPE_WEBHOOK_SECRET', 'STRIPE_PRICES']);
  });

  test.each(['pro', 'pro=', 'pro=a,team=a', 'free=a', 'pro=a;team=b'])(
    'cannot have the prices %s',
    (prices) => {
      expect(problemsOf({ ...stripe, STRIPE_PRICES: prices })).toEqual(['STRIPE_PRICES']);
    },
  );
});
