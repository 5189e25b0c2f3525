import { serviceEnvironment } from '@swissbrain/testkit/environment';
import { waitFor } from '@swissbrain/testkit/wait';
import { expect, test } from 'vitest';
import { newUser } from './api-fixture.ts';
import { deliver, newEvent, paymentSettings, startPayments } from './payment-fixture.ts';
import { startProcess } from './process-fixture.ts';

test('what was stored by a process that is killed before the effect is applied by another', async () => {
  const credits = await startPayments({ STRIPE_SWEEP_MS: '50' });
  const { database, nats, redis, provider } = credits;
  const overrides = paymentSettings(provider.url);
  const killed = await startProcess(serviceEnvironment('credits', { database, nats, redis, overrides }));
  try {
    const { user } = await newUser(credits.url);
    provider.subscriptions.set('sub_crash', { user });
    const release = provider.hold();
    const id = newEvent();
    const delivered = deliver(killed.url, {
      ...{ id, type: 'customer.subscription.created', object: { id: 'sub_crash' } },
    });
    const broken = expect(delivered).rejects.toThrow();
    await waitFor(() => provider.requests.length > 0, { describe: 'Stripe is asked' });
    await killed.kill();
    await broken;
    release();
    expect(await credits.storedEvent(id)).toEqual({ outcome: null, attempts: 1 });
    expect(await credits.accountOf(user)).toMatchObject({ tier: 'free' });
    await credits.dueNow(id);
    await waitFor(async () => (await credits.storedEvent(id))?.outcome === 'applied', {
      describe: 'the sweep applies it',
    });
    expect(await credits.accountOf(user)).toMatchObject({ tier: 'pro', ref: 'sub_crash' });
  } finally {
    await killed.kill();
    await credits.stop();
  }
});
