/**
 * The ledger of one account in memory: what the SQL functions should do, told a second time and independently, for
 * an account with one grant that does not expire.
 */
export interface ModelHold {
  readonly run: string;
  readonly requested: bigint;
  readonly minimum: bigint;
  readonly budget: bigint | null;
  id: string;
  state: 'waiting' | 'active' | 'settled' | 'expired' | 'denied';
  overdue: boolean;
  held: bigint;
  consumed: bigint;
  released: bigint;
  late: bigint;
  writtenOff: bigint;
  steps: Set<string>;
  closing: readonly string[] | number | null;
}

export interface Limits {
  readonly concurrent: number;
  readonly overdraft: bigint;
}

interface Seen {
  readonly request: string;
  readonly outcome: string;
}

const smaller = (...values: (bigint | null)[]): bigint =>
  values.filter((value) => value !== null).sort((a, b) => (a < b ? -1 : 1))[0] ?? 0n;
const atLeastZero = (value: bigint): bigint => (value > 0n ? value : 0n);

/** Makes an account with one grant. */
export function createModel(grant: bigint, limits: Limits) {
  const money = { credited: grant, debited: 0n, reserved: 0n, debt: 0n, remaining: grant };
  const holds: ModelHold[] = [];
  const seen = new Map<string, Seen>();
  const charged = new Map<string, bigint>();
  const available = () => money.credited - money.debited - money.reserved;

  /** The stored outcome of a key, `conflict` for another request, undefined when it is new. */
  const replay = (key: string, request: string): string | undefined => {
    const stored = seen.get(key);
    if (!stored) return undefined;
    return stored.request === request ? stored.outcome : 'conflict';
  };
  const spend = (amount: bigint): void => {
    const burnt = smaller(amount, money.remaining);
    money.remaining -= burnt;
    money.debt += amount - burnt;
    money.debited += amount;
  };
  const credit = (amount: bigint): void => {
    const repaid = smaller(amount, money.debt);
    money.credited += amount;
    money.debt -= repaid;
    money.remaining += amount - repaid;
  };

  const promote = (): void => {
    for (const hold of holds) {
      if (hold.state !== 'waiting') continue;
      const live = holds.filter(({ state, overdue }) => state === 'active' && !overdue).length;
      if (live >= limits.concurrent) return;
      const amount = smaller(hold.requested, hold.budget, atLeastZero(available()));
      if (amount <= 0n || amount < hold.minimum) {
        hold.state = 'denied';
        continue;
      }
      hold.state = 'active';
      hold.held = amount;
      money.reserved += amount;
    }
  };
  const end = (hold: ModelHold, state: 'settled' | 'expired'): void => {
    if (hold.state === 'active') {
      spend(hold.consumed);
      money.reserved -= hold.held;
    }
    hold.state = state;
    hold.released = hold.held - hold.consumed;
    promote();
  };
  const sweep = (): void => {
    const overdue = holds.filter((hold) => hold.state === 'active' && hold.overdue);
    for (const hold of overdue.sort((a, b) => (a.id < b.id ? -1 : 1))) end(hold, 'expired');
  };
  const settleIfComplete = (hold: ModelHold): void => {
    if (hold.state !== 'active' || hold.closing === null) return;
    const complete =
      typeof hold.closing === 'number'
        ? hold.steps.size >= hold.closing
        : hold.closing.every((step) => hold.steps.has(step));
    if (complete) end(hold, 'settled');
  };

  /** How much of a cost is charged, having made room for it. */
  const fund = (hold: ModelHold, cost: bigint): { charge: bigint; status: string } => {
    if (hold.state !== 'active') {
      const budgetLeft = hold.budget === null ? null : hold.budget - hold.consumed - hold.late;
      const charge = atLeastZero(smaller(cost, budgetLeft, available() + limits.overdraft));
      spend(charge);
      hold.late += charge;
      return { charge, status: 'late' };
    }
    const short = cost - (hold.held - hold.consumed);
    if (short <= 0n) {
      hold.consumed += cost;
      return { charge: cost, status: 'consumed' };
    }
    const want = atLeastZero(smaller(short, hold.budget === null ? null : hold.budget - hold.held));
    const extend = smaller(want, atLeastZero(available()));
    const debt = smaller(want - extend, atLeastZero(available() - extend + limits.overdraft));
    hold.held += extend + debt;
    money.reserved += extend + debt;
    const charge = cost - short + extend + debt;
    hold.consumed += charge;
    return { charge, status: extend < short ? 'debt' : 'extended' };
  };

  return {
    money,
    holds,
    available,
    reserve(key: string, hold: Pick<ModelHold, 'run' | 'requested' | 'minimum' | 'budget'>): string {
      const request = `reserve ${hold.run} ${hold.requested} ${hold.minimum} ${hold.budget}`;
      const stored = replay(key, request);
      const same = holds.find(({ run }) => run === hold.run);
      if (stored === 'conflict') return 'CR409';
      if (stored !== undefined) {
        if (same?.state === 'denied') return 'insufficient';
        return same?.state === 'waiting' ? 'concurrency_limit' : 'replayed';
      }
      if (same) return 'CR409';
      sweep();
      const minimum = atLeastZero(smaller(hold.requested, hold.minimum, hold.budget));
      const fresh: ModelHold = {
        ...hold,
        minimum,
        id: '',
        state: 'waiting',
        overdue: false,
        held: 0n,
        consumed: 0n,
        released: 0n,
        late: 0n,
        writtenOff: 0n,
        steps: new Set(),
        closing: null,
      };
      holds.push(fresh);
      promote();
      seen.set(key, { request, outcome: 'reserved' });
      if (fresh.state === 'denied') return 'insufficient';
      return fresh.state === 'waiting' ? 'concurrency_limit' : 'reserved';
    },
    consume(hold: ModelHold, key: string, step: string, cost: bigint, what: string): string {
      const request = `consume ${hold.id} ${step} ${what}`;
      const stored = replay(key, request);
      if (stored === 'conflict') return 'CR409';
      if (hold.state === 'active' && hold.overdue) end(hold, 'expired');
      if (stored !== undefined) return 'replayed';
      const { charge, status } = fund(hold, cost);
      hold.writtenOff += cost - charge;
      hold.steps.add(step);
      charged.set(key, charge);
      seen.set(key, { request, outcome: status });
      settleIfComplete(hold);
      return status;
    },
    extend(hold: ModelHold, key: string, amount: bigint): string {
      const request = `extend ${hold.id} ${amount}`;
      const stored = replay(key, request);
      if (stored !== undefined)
        return stored === 'conflict' ? 'CR409' : stored === 'extended' ? 'replayed' : stored;
      let status = 'extended';
      if (hold.state !== 'active' || hold.overdue) status = 'closed';
      else if (hold.budget !== null && hold.budget - hold.held < amount) status = 'insufficient';
      else if (available() < amount) status = 'insufficient';
      if (status === 'extended') {
        hold.held += amount;
        money.reserved += amount;
      }
      // A refusal does not take the key: the same question may be answered otherwise later.
      if (status === 'extended') seen.set(key, { request, outcome: status });
      return status;
    },
    release(hold: ModelHold, key: string): string {
      const request = `release ${hold.id}`;
      const stored = replay(key, request);
      if (stored !== undefined)
        return stored === 'conflict' ? 'CR409' : stored === 'settled' ? 'replayed' : stored;
      let status = 'denied';
      if (hold.state === 'expired' || (hold.state === 'active' && hold.overdue)) status = 'already_expired';
      else if (hold.state === 'active' || hold.state === 'waiting') status = 'settled';
      else if (hold.state === 'settled') status = 'replayed';
      if (hold.state === 'active' || hold.state === 'waiting')
        end(hold, status === 'settled' ? 'settled' : 'expired');
      seen.set(key, { request, outcome: status });
      return status;
    },
    closeRun(hold: ModelHold, steps: readonly string[] | number): string {
      if (hold.state === 'waiting') {
        end(hold, 'settled');
        return 'settled';
      }
      if (hold.state !== 'active') return 'closed';
      if (hold.overdue) {
        end(hold, 'expired');
        return 'closed';
      }
      hold.closing ??= steps;
      settleIfComplete(hold);
      return (hold.state as ModelHold['state']) === 'settled' ? 'settled' : 'incomplete';
    },
    lapse(hold: ModelHold): void {
      if (hold.state === 'active') hold.overdue = true;
    },
    sweep,
    heartbeat: (hold: ModelHold): boolean =>
      hold.state === 'waiting' || (hold.state === 'active' && !hold.overdue),
    adjust(key: string, amount: bigint): string {
      const stored = replay(key, `adjust ${amount}`);
      if (stored !== undefined)
        return stored === 'conflict' ? 'CR409' : stored === 'adjusted' ? 'replayed' : stored;
      const status = amount < 0n && available() < -amount ? 'insufficient' : 'adjusted';
      if (status === 'adjusted') {
        if (amount > 0n) credit(amount);
        else spend(-amount);
      }
      seen.set(key, { request: `adjust ${amount}`, outcome: status });
      return status;
    },
    refund(key: string, usageKey: string, amount: bigint): string {
      const request = `refund ${usageKey} ${amount}`;
      const stored = replay(key, request);
      if (stored !== undefined)
        return stored === 'conflict' ? 'CR409' : stored === 'adjusted' ? 'replayed' : stored;
      const left = charged.get(usageKey) ?? 0n;
      const status = amount > left ? 'exceeds_original' : 'adjusted';
      if (status === 'adjusted') {
        charged.set(usageKey, left - amount);
        credit(amount);
      }
      seen.set(key, { request, outcome: status });
      return status;
    },
  };
}
export type Model = ReturnType<typeof createModel>;
