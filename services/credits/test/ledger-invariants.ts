import { sql } from 'kysely';
import type { Ledger } from './ledger-fixture.ts';

/** What an account looks like in one snapshot, and which invariants do not hold in it. */
export interface Snapshot {
  readonly credited: bigint;
  readonly debited: bigint;
  readonly reserved: bigint;
  readonly debt: bigint;
  readonly seq: bigint;
  /** By creation: run, state, held, consumed, released, late, written off. */
  readonly holds: readonly (readonly [string, string, string, string, string, string, string])[];
  readonly ids: Readonly<Record<string, string>>;
  /** What is left of each grant, by creation. */
  readonly grants: readonly string[];
  readonly violated: readonly string[];
}

/**
 * One statement, hence one snapshot, whatever is going on: cheap forms of the invariants that are about a state. I6 is
 * about two of them, I8 about a repeat; I10 is here as: every usage costs its quantity at its price; I11 has tests of its
 * own; that nobody sees another's rows (I14) is asked under the user's role.
 */
export async function snapshotOf(ledger: Pick<Ledger, 'database'>, user: string): Promise<Snapshot> {
  const [snapshot] = await ledger.database.serviceStatement(sql<Snapshot>`
    WITH b AS MATERIALIZED (SELECT * FROM credit_balances WHERE user_id = ${user}),
    r AS MATERIALIZED (SELECT * FROM credit_reservations WHERE user_id = ${user}),
    g AS MATERIALIZED (SELECT * FROM credit_grants WHERE user_id = ${user}),
    t AS MATERIALIZED (SELECT * FROM credit_transactions WHERE user_id = ${user}),
    e AS MATERIALIZED (SELECT type, data FROM event_outbox
                       WHERE user_id = ${user} AND source = 'credits' AND type LIKE 'credits.%'),
    s AS (SELECT p.*, tier.max_concurrent_runs FROM user_subscriptions p
          JOIN subscription_tiers tier ON tier.code = p.tier_code WHERE p.user_id = ${user} AND p.status <> 'ended'),
    kinds AS (SELECT count(*) FILTER (WHERE kind = 'reserve') AS reserve,
                     count(*) FILTER (WHERE kind = 'denied' AND cause = 'insufficient' AND reservation_id IS NOT NULL) AS denied,
                     count(*) FILTER (WHERE kind = 'release') AS release,
                     count(*) FILTER (WHERE kind = 'expire_hold') AS expire,
                     count(*) FILTER (WHERE kind <> 'consume' AND amount_micro > 0) AS granted,
                     count(*) FILTER (WHERE kind = 'consume') AS consume FROM t),
    types AS (SELECT count(*) FILTER (WHERE type = 'credits.reserved') AS reserve,
                     count(*) FILTER (WHERE type = 'credits.denied') AS denied,
                     count(*) FILTER (WHERE type = 'credits.released') AS release,
                     count(*) FILTER (WHERE type = 'credits.expired') AS expire,
                     count(*) FILTER (WHERE type = 'credits.granted') AS granted,
                     coalesce(sum(jsonb_array_length(data -> 'lines')) FILTER (WHERE type = 'credits.consumed'), 0) AS consume
              FROM e)
    SELECT b.credited_micro AS credited, b.debited_micro AS debited, b.reserved_micro AS reserved, b.debt_micro AS debt, b.seq,
      (SELECT coalesce(jsonb_agg(jsonb_build_array(run_id, state, held_micro::text, consumed_micro::text,
         released_micro::text, late_micro::text, written_off_micro::text) ORDER BY created_at, id), '[]') FROM r) AS holds,
      (SELECT coalesce(jsonb_object_agg(run_id, id), '{}') FROM r) AS ids,
      (SELECT coalesce(jsonb_agg(remaining_micro::text ORDER BY created_at, id), '[]') FROM g) AS grants,
      array_remove(ARRAY[
        CASE WHEN b.reserved_micro <> (SELECT coalesce(sum(held_micro), 0) FROM r WHERE state = 'active') THEN 'I1' END,
        CASE WHEN b.credited_micro - b.debited_micro
                  - (SELECT coalesce(sum(consumed_micro), 0) FROM r WHERE state = 'active')
                  <> (SELECT coalesce(sum(amount_micro), 0) FROM t) THEN 'I2' END,
        CASE WHEN (SELECT coalesce(sum(remaining_micro), 0) FROM g) - b.debt_micro
                  <> b.credited_micro - b.debited_micro THEN 'I3' END,
        CASE WHEN b.credited_micro - b.debited_micro - b.reserved_micro < -b.overdraft_limit_micro THEN 'I4' END,
        CASE WHEN EXISTS (SELECT FROM r WHERE consumed_micro NOT BETWEEN 0 AND held_micro)
               OR EXISTS (SELECT FROM g WHERE remaining_micro NOT BETWEEN 0 AND amount_micro) THEN 'I5' END,
        CASE WHEN EXISTS (SELECT FROM r WHERE closed_at IS NOT NULL AND (held_micro <> consumed_micro + released_micro
                 OR state <> 'denied' AND 1 <> (SELECT count(*) FROM t WHERE t.reservation_id = r.id
                                                AND kind IN ('release', 'expire_hold')))) THEN 'I7' END,
        CASE WHEN (SELECT count(*) FROM r JOIN t ON t.reservation_id = r.id AND t.kind = 'reserve'
                   WHERE r.state = 'active' AND r.purpose = 'run' AND r.expires_at > clock_timestamp()
                     AND t.created_at >= s.tier_effective_from) > s.max_concurrent_runs THEN 'I9' END,
        CASE WHEN EXISTS (SELECT FROM t WHERE kind = 'consume'
                          AND cost_micro <> ceil(quantity::numeric * price_micro / per_quantity)) THEN 'I10' END,
        CASE WHEN EXISTS (SELECT FROM (SELECT period_start, lag(expires_at) OVER (ORDER BY period_start) AS before
                                       FROM g WHERE source = 'monthly') m WHERE before > period_start)
               OR EXISTS (SELECT FROM g WHERE source = 'monthly' GROUP BY period_start HAVING count(*) > 1) THEN 'I12' END,
        CASE WHEN EXISTS (SELECT FROM t x JOIN t o ON o.id = x.reverses_id WHERE x.kind = 'refund'
                          GROUP BY o.id, o.amount_micro HAVING sum(x.amount_micro) > -o.amount_micro) THEN 'I13' END,
        CASE WHEN (kinds.reserve, kinds.denied, kinds.release, kinds.expire, kinds.granted, kinds.consume)
               IS DISTINCT FROM (types.reserve, types.denied, types.release, types.expire, types.granted, types.consume)
             THEN 'I14' END
      ], NULL) AS violated
    FROM b LEFT JOIN s ON true, kinds, types`);
  if (!snapshot) throw new Error(`no account ${user}`);
  return snapshot;
}
