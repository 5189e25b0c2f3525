/** The grants of one account in memory: burn order, debt, expiry. */
interface ModelGrant {
  readonly source: string;
  readonly amount: bigint;
  readonly priority: number;
  /** In months of the account; null: never. */
  readonly expires: number | null;
  /** Its place among all. */
  readonly nth: number;
  remaining: bigint;
}

const least = (a: bigint, b: bigint): bigint => (a < b ? a : b);

/** @param reserved what holds have taken out of `available` at this moment */
export function createGrants(reserved: () => bigint) {
  const totals = { credited: 0n, debited: 0n, debt: 0n };
  const all: ModelGrant[] = [];
  const inBurnOrder = () =>
    all.toSorted(
      (a, b) =>
        a.priority - b.priority ||
        (a.expires ?? Number.POSITIVE_INFINITY) - (b.expires ?? Number.POSITIVE_INFINITY) ||
        a.nth - b.nth,
    );
  const available = () => totals.credited - totals.debited - reserved();
  const expired = (now: number) => inBurnOrder().filter(({ expires }) => expires !== null && expires <= now);
  return {
    totals,
    all,
    available,
    /** Debt first; the rest can be spent. */
    add(source: string, amount: bigint, priority: number, expires: number | null): void {
      const repaid = least(amount, totals.debt);
      totals.credited += amount;
      totals.debt -= repaid;
      all.push({ source, amount, priority, expires, nth: all.length, remaining: amount - repaid });
    },
    /** In burn order; what no grant covers is debt. */
    spend(amount: bigint): void {
      let need = amount;
      for (const grant of inBurnOrder()) {
        const part = least(grant.remaining, need);
        grant.remaining -= part;
        need -= part;
      }
      totals.debt += need;
      totals.debited += amount;
    },
    /** What is left of grants of these sources that have expired by then. */
    expiredBy: (now: number, sources: readonly string[]): bigint =>
      expired(now).reduce((sum, grant) => sum + (sources.includes(grant.source) ? grant.remaining : 0n), 0n),
    /** Takes back what is left of expired grants, as far as no hold pins it. */
    expire(now: number): bigint {
      let gone = 0n;
      for (const grant of expired(now)) {
        const part = least(grant.remaining, available());
        if (part <= 0n) continue;
        grant.remaining -= part;
        totals.debited += part;
        gone += part;
      }
      return gone;
    },
  };
}
