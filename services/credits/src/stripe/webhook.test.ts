import { describe, expect, test } from 'vitest';
import { readEvent } from './webhook.ts';

const event = (type: string, object: object) => ({
  id: 'evt_1',
  created: 1_768_300_000,
  type,
  data: { object },
});

describe('an event', () => {
  test.each([
    ['checkout.session.completed', { id: 'cs_1', subscription: 'sub_1' }, 'subscription', 'sub_1'],
    ['customer.subscription.deleted', { id: 'sub_1' }, 'subscription', 'sub_1'],
    [
      'invoice.paid',
      { id: 'in_1', parent: { subscription_details: { subscription: 'sub_1' } } },
      'subscription',
      'sub_1',
    ],
    // As API versions before 2025-03-31 have it, and with the object in its place.
    ['invoice.payment_failed', { id: 'in_1', subscription: { id: 'sub_1' } }, 'subscription', 'sub_1'],
    ['charge.refunded', { id: 'ch_1', subscription: 'sub_1' }, 'charge', 'ch_1'],
  ])('%s of %o is about a %s', (type, object, subject, ref) => {
    const createdAt = new Date('2026-01-13T10:26:40.000Z');
    expect(readEvent(event(type, object))).toEqual({ id: 'evt_1', type, subject, ref, createdAt });
  });

  test.each([
    ['checkout.session.completed', { id: 'cs_1', subscription: null }],
    ['invoice.paid', { id: 'in_1', parent: { subscription_details: null } }],
    ['customer.created', { id: 'cus_1' }],
    ['toString', { id: 'cus_1' }],
  ])('%s of %o needs nothing done', (type, object) => {
    expect(readEvent(event(type, object))).toBeNull();
  });

  test('of a known type and another shape is an error', () => {
    expect(() => readEvent(event('charge.refunded', { id: 7 }))).toThrow();
    expect(() => readEvent({ id: 'evt_1' })).toThrow();
  });
});
