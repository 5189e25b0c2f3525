import { describe, expect, test } from 'vitest';
import { accountStatus, tierOf } from './payments.ts';

describe('a bought subscription', () => {
  test.each([
    ['active', 'active'],
    ['trialing', 'trialing'],
    ['past_due', 'past_due'],
    ['unpaid', 'ended'],
    ['paused', 'ended'],
    ['canceled', 'ended'],
    ['incomplete_expired', 'ended'],
    ['incomplete', null],
    ['something_new', null],
  ])('that is %s makes the account %s', (status, account) => {
    expect(accountStatus(status)).toBe(account);
  });

  test('is of the last tier whose price is known', () => {
    const prices = new Map([
      ['pro', 'price_p'],
      ['team', 'price_t'],
    ]);
    expect(tierOf(['price_p', 'price_seats'], prices)).toBe('pro');
    expect(tierOf(['price_p', 'price_t'], prices)).toBe('team');
    expect(tierOf(['price_seats'], prices)).toBeNull();
    expect(tierOf([], prices)).toBeNull();
  });
});
