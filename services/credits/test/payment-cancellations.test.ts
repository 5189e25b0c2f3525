import { randomUUID } from 'node:crypto';
import { serviceEnvironment } from '@swissbrain/testkit/environment';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newUser } from './api-fixture.ts';
import {
  type PaymentsUnderTest,
  paymentSettings,
  startPayments,
  subscribe,
  tell,
} from './payment-fixture.ts';
import { startProcess } from './process-fixture.ts';
import { startCredits } from './service-fixture.ts';
import { type StripeServer, startStripe } from './stripe-server.ts';

let credits: PaymentsUnderTest;
beforeAll(async () => {
  credits = await startPayments({ STRIPE_SWEEP_MS: '50', STRIPE_RETRY_SECONDS: '0.1' });
});
afterAll(() => credits?.stop());

type Database = PaymentsUnderTest['database'];
interface Cancellation {
  readonly outcome: string | null;
  readonly attempts: number;
  readonly error: string | null;
}
async function cancellationOf(database: Database, subscription: string): Promise<Cancellation | undefined> {
  const [row] = await database.query<Cancellation>(
    'SELECT outcome, attempts, error FROM payment_cancellations WHERE subscription_ref = $1',
    [subscription],
  );
  return row;
}
const ended = (subscription: string, outcome: string, database = credits.database) =>
  waitFor(
    async () => {
      const row = await cancellationOf(database, subscription);
      return row?.outcome === outcome ? row : null;
    },
    { describe: `${subscription} to be ${outcome}` },
  );
const remove = (user: string, database = credits.database) =>
  database.query('DELETE FROM auth.users WHERE id = $1', [user]);
const accountEnded = (user: string, database = credits.database) =>
  waitFor(
    async () => {
      const rows = await database.query('SELECT status FROM user_subscriptions WHERE user_id = $1', [user]);
      return (rows[0] as { status: string } | undefined)?.status === 'ended';
    },
    { describe: 'the account to end' },
  );
const asked = (provider: StripeServer, method: string, subscription: string) =>
  provider.requests.filter(
    (request) => request.method === method && request.path === `/v1/subscriptions/${subscription}`,
  ).length;
const openOnes = async () => {
  const metrics = await (await fetch(new URL('/metrics', credits.url))).text();
  return /^credits_payment_cancellations_open\{[^}]*\} (\d+)$/m.exec(metrics)?.[1];
};

test('the subscription of a deleted user ends at Stripe, once', async () => {
  const { user } = await newUser(credits.url);
  const subscription = await subscribe(credits, user);
  await remove(user);
  expect(await ended(subscription, 'cancelled')).toEqual({ outcome: 'cancelled', attempts: 1, error: null });
  expect(credits.provider.subscriptions.get(subscription)?.status).toBe('canceled');
  // What Stripe tells of it then changes nothing, and does not ask again.
  await tell(credits.url, 'deleted', subscription);
  await tell(credits.url, 'updated', subscription);
  expect(asked(credits.provider, 'DELETE', subscription)).toBe(1);
  expect(await credits.verify(user)).toEqual([]);
  await waitFor(async () => (await openOnes()) === '0', { describe: 'the metric to say that none is open' });
});

test('a deleted user who bought nothing needs nothing of Stripe', async () => {
  const { user } = await newUser(credits.url);
  await remove(user);
  await accountEnded(user);
  const rows = await credits.database.query('SELECT FROM payment_cancellations WHERE user_id = $1', [user]);
  expect(rows).toEqual([]);
});

test('Stripe is asked again until it answers, without a transaction open meanwhile', async () => {
  const { user } = await newUser(credits.url);
  const subscription = await subscribe(credits, user);
  credits.provider.fail(true);
  await remove(user);
  await waitFor(async () => ((await cancellationOf(credits.database, subscription))?.attempts ?? 0) >= 3, {
    describe: 'three attempts',
  });
  await waitFor(async () => (await cancellationOf(credits.database, subscription))?.error !== null, {
    describe: 'the failure to be noted',
  });
  expect(await cancellationOf(credits.database, subscription)).toMatchObject({
    outcome: null,
    error: expect.stringContaining('500'),
  });
  await waitFor(async () => (await openOnes()) === '1', { describe: 'the metric to say that one is open' });
  const before = credits.provider.requests.length;
  const release = credits.provider.hold();
  credits.provider.fail(false);
  await waitFor(() => credits.provider.requests.length > before, { describe: 'Stripe to be asked' });
  const open = await credits.database.query(
    `SELECT query FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'`,
  );
  release();
  expect(open).toEqual([]);
  await ended(subscription, 'cancelled');
  expect(credits.provider.subscriptions.get(subscription)?.status).toBe('canceled');
});

test('an answer that was lost is looked up', async () => {
  const { user } = await newUser(credits.url);
  const subscription = await subscribe(credits, user);
  credits.provider.lose(true);
  await remove(user);
  await waitFor(async () => (await cancellationOf(credits.database, subscription))?.error != null, {
    describe: 'the failure to be noted',
  });
  expect(credits.provider.subscriptions.get(subscription)?.status).toBe('canceled');
  expect((await cancellationOf(credits.database, subscription))?.outcome).toBeNull();
  credits.provider.lose(false);
  const { attempts } = await ended(subscription, 'cancelled');
  expect(attempts).toBeGreaterThan(1);
});

test('a subscription that Stripe does not know is kept as missing', async () => {
  const { user } = await newUser(credits.url);
  const subscription = await subscribe(credits, user);
  credits.provider.subscriptions.delete(subscription);
  await remove(user);
  await ended(subscription, 'missing');
});

test('what was bought before the deletion and told after it ends too, whatever is repeated', async () => {
  const { user } = await newUser(credits.url);
  await remove(user);
  await accountEnded(user);
  const subscription = `sub_${randomUUID()}`;
  credits.provider.subscriptions.set(subscription, { user });
  await Promise.all([tell(credits.url, 'created', subscription), tell(credits.url, 'updated', subscription)]);
  await ended(subscription, 'cancelled');
  await tell(credits.url, 'created', subscription);
  expect(asked(credits.provider, 'DELETE', subscription)).toBe(1);
});

test('a process that is killed after Stripe has ended it leaves the rest to another', async () => {
  const provider = await startStripe();
  // Without Stripe here: what is to be ended waits for a process that has it.
  const quiet = await startCredits();
  const overrides = { ...paymentSettings(provider.url), STRIPE_SWEEP_MS: '50' };
  const environment = serviceEnvironment('credits', { ...quiet, overrides });
  const killed = await startProcess(environment);
  try {
    const { user } = await newUser(quiet.url);
    const subscription = await subscribe({ url: killed.url, provider }, user);
    const release = provider.hold();
    await remove(user, quiet.database);
    await waitFor(() => asked(provider, 'DELETE', subscription) === 1, { describe: 'Stripe to be asked' });
    await killed.kill();
    release();
    expect(provider.subscriptions.get(subscription)?.status).toBe('canceled');
    expect(await cancellationOf(quiet.database, subscription)).toEqual({
      outcome: null,
      attempts: 1,
      error: null,
    });
    await quiet.database.query('UPDATE payment_cancellations SET next_attempt_at = clock_timestamp()');
    const next = await startProcess(environment);
    try {
      expect((await ended(subscription, 'cancelled', quiet.database)).attempts).toBe(2);
    } finally {
      await next.kill();
    }
  } finally {
    await killed.kill();
    await quiet.stop();
    await provider.stop();
  }
});
