import { balanceView } from '@swissbrain/shared-schema/http/credits';
import { expect, test } from 'vitest';
import { toBalanceView } from './views.ts';

const account = {
  credited_micro: 100_000_000n,
  debited_micro: 1_500_000n,
  reserved_micro: 500_001n,
  overdraft_limit_micro: 5_000_000n,
  tier_code: 'free',
  current_period_start: new Date('2026-01-13T00:00:00Z'),
  current_period_end: new Date('2026-02-13T00:00:00Z'),
};

test('a balance is shown in credits', () => {
  const view = toBalanceView(account);
  expect(balanceView.parse(view)).toMatchObject({
    available: '97.999999',
    reserved: '0.500001',
    unlimited: false,
  });
});

test('an unlimited account has no available amount, one that is being opened has nothing', () => {
  expect(toBalanceView({ ...account, overdraft_limit_micro: null })).toMatchObject({
    unlimited: true,
    available: null,
    overdraft_limit: null,
  });
  expect(balanceView.parse(toBalanceView(undefined))).toMatchObject({
    granted: false,
    available: '0',
    unlimited: false,
    tier: null,
  });
});
