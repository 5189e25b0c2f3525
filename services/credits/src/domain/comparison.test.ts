import { describe, expect, test } from 'vitest';
import { type AccountState, type BoughtState, type Difference, differenceBetween } from './comparison.ts';

const positions = new Map([
  ['free', 1],
  ['pro', 2],
  ['team', 3],
]);
const bought: BoughtState = { ref: 'sub_1', status: 'active', tier: 'pro', ends: false };
const account: AccountState = { ref: 'sub_1', status: 'active', tier: 'pro', next: null, ending: false };
const differ = (there: Partial<BoughtState>, here: Partial<AccountState> | undefined) =>
  differenceBetween({ ...bought, ...there }, here && { ...account, ...here }, positions);

describe('a subscription and its account', () => {
  test.each<[Partial<BoughtState>, Partial<AccountState>]>([
    [{}, {}],
    [{ status: 'past_due' }, { status: 'past_due' }],
    [{}, { tier: 'team', next: 'pro' }],
    [{ ends: true }, { next: 'free' }],
    [{ ends: true }, { tier: 'team', next: 'free' }],
    [{ status: 'ended' }, { ref: null, tier: 'free' }],
    [{ status: 'ended' }, { ref: 'sub_2' }],
    [{ status: 'ended' }, { status: 'ended' }],
    [{}, { status: 'ended', ending: true }],
  ])('%o and %o agree', (there, here) => {
    expect(differ(there, here)).toBeNull();
  });

  test.each<[Difference, Partial<BoughtState>, Partial<AccountState> | undefined]>([
    ['user_unknown', {}, undefined],
    ['price_unknown', { tier: null }, {}],
    ['second', {}, { ref: 'sub_2' }],
    ['second', { tier: null }, { ref: 'sub_2' }],
    ['untold', {}, { ref: null, tier: 'free' }],
    ['deleted', {}, { status: 'ended' }],
    ['status', { status: 'past_due' }, {}],
    ['status', {}, { status: 'past_due' }],
    ['tier', { tier: 'team' }, {}],
    ['tier', {}, { tier: 'team' }],
    ['tier', { tier: 'team', ends: true }, { next: 'free' }],
    ['end', { ends: true }, {}],
    ['end', {}, { next: 'free' }],
    ['ended', { status: 'ended' }, {}],
  ])('differ: %s', (difference, there, here) => {
    expect(differ(there, here)).toBe(difference);
  });

  test('that ended for nobody is no difference', () => {
    expect(differ({ status: 'ended' }, undefined)).toBeNull();
  });
});
