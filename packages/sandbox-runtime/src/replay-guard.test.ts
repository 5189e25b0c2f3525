import { describe, expect, it } from 'vitest';
import { createReplayGuard } from './replay-guard.ts';
import { freshnessMs } from './signing.ts';

describe('the replay guard', () => {
  it('admits a nonce once for as long as its time would be accepted', () => {
    let now = 1_000_000;
    const guard = createReplayGuard(() => now);
    // Sent by a clock that is as far ahead as it may be: acceptable for twice the tolerance.
    const sentAt = now + freshnessMs;
    expect(guard.admit('a', sentAt)).toBe('fresh');
    now += 2 * freshnessMs;
    expect(guard.admit('a', sentAt)).toBe('replayed');
    now += 1;
    expect(guard.admit('a', sentAt)).toBe('stale');
  });

  it.each([freshnessMs + 1, -freshnessMs - 1, Number.NaN])('finds a time off by %d ms stale', (offset) => {
    expect(createReplayGuard(() => 1_000_000).admit('a', 1_000_000 + offset)).toBe('stale');
  });

  it('refuses rather than forget while its memory is full, and recovers', () => {
    let now = 1_000_000;
    const guard = createReplayGuard(() => now, 2);
    expect([guard.admit('a', now), guard.admit('b', now), guard.admit('c', now)]).toEqual([
      'fresh',
      'fresh',
      'full',
    ]);
    expect(guard.admit('a', now)).toBe('replayed');
    now += 2 * freshnessMs + 1;
    expect(guard.admit('c', now)).toBe('fresh');
  });
});
