/**
 * The ledger of one account in memory: what the SQL functions should do, told a second time and independently. Time
 * is counted in months of the account: a period that begins at n ends at n + 1.
 */
import { createGrants } from './grant-model.ts';

export interface ModelTier {
  readonly code: string;
  readonly position: number;
  /** Null: unlimited. */
  readonly monthly: bigint | null;
  readonly concurrent: number | null;
  readonly overdraft: bigint | null;
  readonly rolloverMin: bigint;
  readonly rolloverMax: bigint;
}
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
export interface ModelLine {
  readonly hold: ModelHold;
  readonly key: string;
  readonly step: string;
  readonly cost: bigint;
  /** Operation and quantity. */
  readonly what: string;
}
interface Seen {
  readonly request: string;
  readonly outcome: string;
}

const least = (...values: (bigint | null)[]): bigint =>
  values.filter((value) => value !== null).sort((a, b) => (a < b ? -1 : 1))[0] ?? 0n;
const atLeastZero = (value: bigint): bigint => (value > 0n ? value : 0n);
const byId = (a: ModelHold, b: ModelHold): number => (a.id < b.id ? -1 : 1);
const again = (stored: string, done: string): string =>
  stored === 'conflict' ? 'CR409' : stored === done ? 'replayed' : stored;

/** Makes an account on a tier, whose first period is 0 and whose first grant has come. */
export function createModel(tiers: readonly ModelTier[], firstTier: string) {
  const tierOf = (code: string): ModelTier => {
    const tier = tiers.find((candidate) => candidate.code === code);
    if (!tier) throw new Error(`no tier ${code}`);
    return tier;
  };
  const plan = { tier: tierOf(firstTier), next: null as string | null, period: 0, ended: false };
  const money = { reserved: 0n, overdraft: plan.tier.overdraft };
  const grants = createGrants(() => money.reserved);
  const { available } = grants;
  const holds: ModelHold[] = [];
  const seen = new Map<string, Seen>();
  const charged = new Map<string, bigint>();

  /** The stored outcome of a key, `conflict` for another request, undefined when it is new. */
  const replay = (key: string, request: string): string | undefined => {
    const stored = seen.get(key);
    if (!stored) return undefined;
    return stored.request === request ? stored.outcome : 'conflict';
  };
  const limited = (amount: bigint): bigint | null => (money.overdraft === null ? null : amount);

  const promote = (): void => {
    for (const hold of holds) {
      if (hold.state !== 'waiting') continue;
      const live = holds.filter(({ state, overdue }) => state === 'active' && !overdue).length;
      if (!plan.ended && plan.tier.concurrent !== null && live >= plan.tier.concurrent) return;
      const amount = least(hold.requested, hold.budget, limited(atLeastZero(available())));
      if (plan.ended || amount <= 0n || amount < hold.minimum) {
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
      grants.spend(hold.consumed);
      money.reserved -= hold.held;
    }
    hold.state = state;
    hold.released = hold.held - hold.consumed;
    promote();
  };
  const sweep = (): void => {
    const overdue = holds.filter((hold) => hold.state === 'active' && hold.overdue);
    for (const hold of overdue.sort(byId)) end(hold, 'expired');
  };
  const settleIfComplete = (hold: ModelHold): void => {
    if (hold.state !== 'active' || hold.closing === null) return;
    const complete =
      typeof hold.closing === 'number'
        ? hold.steps.size >= hold.closing
        : hold.closing.every((step) => hold.steps.has(step));
    if (complete) end(hold, 'settled');
  };

  /** How much of a need can be charged, having made room for it. */
  const fund = (hold: ModelHold, need: bigint): { room: bigint; status: string } => {
    if (hold.state !== 'active') {
      const budgetLeft = hold.budget === null ? null : hold.budget - hold.consumed - hold.late;
      const floor = money.overdraft === null ? null : available() + money.overdraft;
      const room = atLeastZero(least(need, budgetLeft, floor));
      grants.spend(room);
      return { room, status: 'late' };
    }
    const left = hold.held - hold.consumed;
    const short = need - left;
    if (short <= 0n) return { room: left, status: 'consumed' };
    const want = atLeastZero(least(short, hold.budget === null ? null : hold.budget - hold.held));
    const extend = least(want, limited(atLeastZero(available())));
    const debt =
      money.overdraft === null
        ? 0n
        : least(want - extend, atLeastZero(available() - extend + money.overdraft));
    hold.held += extend + debt;
    money.reserved += extend + debt;
    return { room: left + extend + debt, status: extend < short ? 'debt' : 'extended' };
  };
  const applyTier = (code: string): void => {
    const to = tierOf(code);
    if (to.overdraft !== null && money.overdraft === null && available() < 0n) {
      grants.add('adjust', -available(), 50, null);
    }
    money.overdraft = to.overdraft === null ? null : least(-to.overdraft, available()) * -1n;
    plan.tier = to;
    plan.next = null;
  };
  const addMonthly = (): void => {
    if ((plan.tier.monthly ?? 0n) > 0n) grants.add('monthly', plan.tier.monthly ?? 0n, 50, plan.period + 1);
  };
  addMonthly();

  return {
    plan,
    money,
    grants,
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
      const nothing = { held: 0n, consumed: 0n, released: 0n, late: 0n, writtenOff: 0n };
      const minimum = atLeastZero(least(hold.requested, hold.minimum, hold.budget));
      const fresh: ModelHold = {
        ...{ ...hold, ...nothing, minimum, id: '', state: 'waiting', overdue: false },
        ...{ steps: new Set(), closing: null },
      };
      holds.push(fresh);
      promote();
      seen.set(key, { request, outcome: 'reserved' });
      if (fresh.state === 'denied') return 'insufficient';
      return fresh.state === 'waiting' ? 'concurrency_limit' : 'reserved';
    },
    /** Records lines of any holds in one transaction; the status of each hold that has new ones, else `replayed`. */
    consume(lines: readonly ModelLine[]): ReadonlyMap<ModelHold, string> | 'CR409' {
      const fresh = new Map<string, ModelLine>();
      const requestOf = (line: ModelLine) => `consume ${line.hold.id} ${line.step} ${line.what}`;
      for (const line of lines) {
        const first = fresh.get(line.key);
        const stored = first === undefined ? replay(line.key, requestOf(line)) : undefined;
        if (stored === 'conflict' || (first && requestOf(first) !== requestOf(line))) return 'CR409';
        if (stored === undefined && !first) fresh.set(line.key, line);
      }
      const statuses = new Map<ModelHold, string>();
      const touched = [...new Set(lines.map(({ hold }) => hold))].sort(byId);
      const rooms = touched.map((hold) => {
        if (hold.state === 'active' && hold.overdue) end(hold, 'expired');
        const mine = [...fresh.values()].filter((line) => line.hold === hold);
        const need = mine.reduce((sum, { cost }) => sum + cost, 0n);
        return { hold, mine, ...fund(hold, need) };
      });
      for (const { hold, mine, status, ...rest } of rooms) {
        let { room } = rest;
        statuses.set(hold, mine.length === 0 ? 'replayed' : status);
        for (const { key, step, cost, ...line } of mine) {
          const charge = least(cost, room);
          room -= charge;
          if (status === 'late') hold.late += charge;
          else hold.consumed += charge;
          hold.writtenOff += cost - charge;
          hold.steps.add(step);
          charged.set(key, charge);
          seen.set(key, { request: requestOf({ key, step, cost, ...line }), outcome: 'recorded' });
        }
      }
      for (const hold of touched) settleIfComplete(hold);
      return statuses;
    },
    extend(hold: ModelHold, key: string, amount: bigint): string {
      const request = `extend ${hold.id} ${amount}`;
      const stored = replay(key, request);
      if (stored !== undefined) return again(stored, 'extended');
      let status = 'extended';
      if (hold.state !== 'active' || hold.overdue) status = 'closed';
      else if (hold.budget !== null && hold.budget - hold.held < amount) status = 'insufficient';
      else if (money.overdraft !== null && available() < amount) status = 'insufficient';
      if (status !== 'extended') return status;
      hold.held += amount;
      money.reserved += amount;
      // A refusal does not take the key: the same question may be answered otherwise later.
      seen.set(key, { request, outcome: status });
      return status;
    },
    release(hold: ModelHold, key: string): string {
      const request = `release ${hold.id}`;
      const stored = replay(key, request);
      if (stored !== undefined) return again(stored, 'settled');
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
      const request = `adjust ${amount}`;
      const stored = replay(key, request);
      if (stored !== undefined) return again(stored, 'adjusted');
      const short = amount < 0n && money.overdraft !== null && available() < -amount;
      const status = short ? 'insufficient' : 'adjusted';
      if (!short && amount > 0n) grants.add('adjust', amount, 50, null);
      else if (!short) grants.spend(-amount);
      seen.set(key, { request, outcome: status });
      return status;
    },
    /** Nothing is admitted any more, what waits is denied. */
    endAccount(): void {
      plan.ended = true;
      promote();
    },
    check(cost: bigint): { reason: string; available: bigint | null } {
      const live = holds.filter(({ state, overdue }) => state === 'active' && !overdue).length;
      const overdue = holds.filter((hold) => hold.state === 'active' && hold.overdue);
      const free = overdue.reduce((sum, hold) => sum + hold.held - hold.consumed, available());
      const poor = money.overdraft !== null && free < cost;
      const full = plan.tier.concurrent !== null && live >= plan.tier.concurrent;
      return { reason: poor ? 'insufficient' : full ? 'concurrency_limit' : 'ok', available: limited(free) };
    },
    /** `months`: when it expires, from the beginning of this period; null: never. */
    grant(key: string, source: 'top_up' | 'trial' | 'promo', amount: bigint, months: number | null): string {
      const request = `grant ${source} ${amount} ${months === null ? null : plan.period + months}`;
      const stored = replay(key, request);
      if (stored !== undefined) return again(stored, 'granted');
      const expires = months === null ? null : plan.period + months;
      grants.add(source, amount, source === 'top_up' ? 60 : 30, expires);
      seen.set(key, { request, outcome: 'granted' });
      return 'granted';
    },
    refund(key: string, usageKey: string, amount: bigint): string {
      const request = `refund ${usageKey} ${amount}`;
      const stored = replay(key, request);
      if (stored !== undefined) return again(stored, 'adjusted');
      const left = charged.get(usageKey) ?? 0n;
      const status = amount > left ? 'exceeds_original' : 'adjusted';
      if (status === 'adjusted') {
        charged.set(usageKey, left - amount);
        grants.add('refund', amount, 50, null);
      }
      seen.set(key, { request, outcome: status });
      return status;
    },
    changeTier(key: string, code: string): string {
      const stored = replay(key, `tier ${code}`);
      if (stored !== undefined) return stored === 'conflict' ? 'CR409' : 'replayed';
      const [from, to] = [plan.tier, tierOf(code)];
      seen.set(key, { request: `tier ${code}`, outcome: 'done' });
      if (to.position <= from.position) {
        plan.next = to.code === from.code ? null : to.code;
        return to.code === from.code ? 'unchanged' : 'scheduled';
      }
      applyTier(code);
      const more = to.monthly === null || from.monthly === null ? 0n : to.monthly - from.monthly;
      if (more > 0n) grants.add('upgrade', more, 50, plan.period + 1);
      promote();
      return 'upgraded';
    },
    /** The first moment of the period after the next `missed` ones; what it granted, rolled over and took back. */
    renew(missed: number): { granted: bigint; rolled: bigint; expired: bigint; skipped: number } {
      const now = plan.period + 1 + missed;
      const ofMonth = grants.expiredBy(now, ['monthly', 'upgrade']);
      const left = least(ofMonth, atLeastZero(available()));
      const { rolloverMin, rolloverMax } = plan.tier;
      const rolled = missed > 0 ? 0n : least(rolloverMax, -least(-left, -rolloverMin));
      const expired = grants.expire(now);
      plan.period = now;
      applyTier(plan.next ?? plan.tier.code);
      if (rolled > 0n) grants.add('rollover', rolled, 40, now + 1);
      addMonthly();
      return { granted: plan.tier.monthly ?? 0n, rolled, expired, skipped: missed };
    },
  };
}
export type Model = ReturnType<typeof createModel>;
