import { randomUUID } from 'node:crypto';
import type { Database } from '@swissbrain/service-kit/database';
import { parseCredits } from '@swissbrain/shared-schema/amount';
import { createTestDatabase, type TestDatabase } from '@swissbrain/testkit/database';
import { openServiceDatabase } from '@swissbrain/testkit/service-database';
import { type RawBuilder, sql } from 'kysely';
import { expect } from 'vitest';

/** Credits as micro-credits: `credits(1.5)`. */
export const credits = (amount: number | string): bigint => parseCredits(String(amount));

export interface AccountState {
  readonly credited: bigint;
  readonly debited: bigint;
  readonly reserved: bigint;
  readonly debt: bigint;
  readonly available: bigint;
}
export interface ReservationState {
  readonly id: string;
  readonly run_id: string;
  readonly state: string;
  readonly held: bigint;
  readonly consumed: bigint;
  readonly released: bigint;
  readonly late: bigint;
  readonly written_off: bigint;
  readonly seq: bigint;
}
export interface ReserveReply {
  readonly status: string;
  readonly reservation_id: string;
  readonly held: bigint;
  readonly available: bigint | null;
}
export interface ConsumeReply {
  readonly status: string;
  readonly transaction_id: string;
  readonly cost: bigint;
  readonly held_left: bigint;
  readonly debt: bigint;
}
export interface ReserveOptions {
  readonly amount?: bigint;
  readonly run?: string;
  readonly key?: string;
  readonly ttl?: string;
  readonly minimum?: bigint | null;
  readonly budget?: bigint | null;
}
export interface ConsumeOptions {
  readonly key?: string;
  readonly operation?: string;
  readonly quantity?: number | string | bigint;
  readonly step?: string;
}

export interface GrantOptions {
  readonly source?: string;
  readonly key?: string;
  /** An interval from now; none: never. */
  readonly expires?: string | null;
  readonly priority?: number | null;
}

/** The ledger in a database of its own, called as the service's role. */
export async function openLedger(options: { connections?: number } = {}) {
  const clone = await createTestDatabase();
  const database = openServiceDatabase('credits', clone, options);
  return Object.assign(callsOf(database), looksInto(clone), {
    clone,
    database,
    async close() {
      await database.close();
      await clone.drop();
    },
  });
}
export type Ledger = Awaited<ReturnType<typeof openLedger>>;

function callsOf(database: Database) {
  const one = async <R>(statement: RawBuilder<R>): Promise<R> => {
    const [row, ...more] = await database.serviceStatement(statement);
    if (!row || more.length > 0) throw new Error(`${1 + more.length} rows in the place of one`);
    return row;
  };
  const changeTier = (user: string, tier: string, key: string = randomUUID()) =>
    one(sql<{ status: string }>`SELECT status FROM change_tier(${user}, ${tier}, ${key})`);
  const adjust = (
    user: string,
    amount: bigint,
    { key = randomUUID(), reverses = null }: { key?: string; reverses?: string | null } = {},
  ) =>
    one(sql<{ status: string; transaction_id: string | null; available: bigint | null }>`
      SELECT * FROM adjust_credits(${user}, ${reverses ? 'refund' : 'adjust'}, ${amount}::bigint, ${key}, 'test',
        ${reverses}::uuid)`);
  const grant = (user: string, amount: bigint, options: GrantOptions = {}) => {
    const { source = 'top_up', key = randomUUID(), expires = null, priority = null } = options;
    return one(sql<{ status: string; grant_id: string; available: bigint | null }>`
      SELECT * FROM grant_credits(${user}, ${source}, ${amount}::bigint, ${key}, 'test',
        clock_timestamp() + ${expires}::interval, ${priority}::int)`);
  };
  const openAccount = (user: string) => one(sql<{ opened: boolean }>`SELECT open_account(${user}) AS opened`);
  return {
    one,
    changeTier,
    adjust,
    grant,
    openAccount,
    /** A new account on a tier with exactly so much available. */
    async account({ tier = 'free', available }: { tier?: string; available?: bigint } = {}): Promise<string> {
      const user = randomUUID();
      await openAccount(user);
      if (tier !== 'free') await changeTier(user, tier);
      if (available !== undefined) {
        const { now } = await one(sql<{ now: bigint }>`
          SELECT credited_micro - debited_micro AS now FROM credit_balances WHERE user_id = ${user}`);
        if (available !== now) await adjust(user, available - now);
      }
      return user;
    },
    reserve(user: string, { amount = credits(10), run = randomUUID(), ...rest }: ReserveOptions = {}) {
      const { key = `run:${run}`, ttl = '15 minutes', minimum = null, budget = null } = rest;
      return one(sql<ReserveReply>`
        SELECT status, reservation_id, held, available FROM reserve_credits(${user}, ${run}, ${amount}::bigint, ${key},
          ${ttl}::interval, ${minimum}::bigint, ${budget}::bigint)`);
    },
    consume(
      reservation: string,
      { key = randomUUID(), operation = 'web.search', ...rest }: ConsumeOptions = {},
    ) {
      const { quantity = 1, step = randomUUID() } = rest;
      return one(sql<ConsumeReply>`
        SELECT * FROM consume_credits(${reservation}, ${key}, ${operation}, ${String(quantity)}::numeric, ${step}::uuid,
          clock_timestamp())`);
    },
    extend: (reservation: string, amount: bigint, key: string = randomUUID()) =>
      one(sql<{ status: string; held: bigint; available: bigint | null }>`
        SELECT * FROM extend_reservation(${reservation}, ${amount}::bigint, ${key})`),
    release: (reservation: string, key: string = randomUUID()) =>
      one(sql<{ status: string; consumed: bigint; released: bigint; available: bigint | null }>`
        SELECT * FROM release_credits(${reservation}, ${key}, 'test')`),
    closeRun: (run: string, steps: readonly string[] | number) =>
      one(sql<{ status: string }>`
        SELECT status FROM record_closing(${run}, 'run.completed', ${typeof steps === 'number' ? steps : steps.length},
          ${typeof steps === 'number' ? null : [...steps]}::uuid[])`),
    usage: (items: readonly object[]) =>
      database.serviceStatement(sql<{ reservation_id: string; status: string; debt: bigint }>`
        SELECT * FROM consume_usage(${JSON.stringify(items)}::jsonb)`),
    check: (user: string, operation: string, quantity: number) =>
      one(sql<{ reason: string; available: bigint | null; cost: bigint }>`
        SELECT reason, available, cost FROM check_credits(${user}, ${operation}, ${quantity})`),
    sweep: (limit = 100) =>
      database.serviceStatement(
        sql<{ reservation_id: string }>`SELECT reservation_id FROM expire_reservations(${limit})`,
      ),
    async heartbeat(...reservations: string[]): Promise<boolean[]> {
      const rows = await database.serviceStatement(sql<{ reservation_id: string; alive: boolean }>`
        SELECT * FROM heartbeat_reservations(${reservations}::uuid[])`);
      return reservations.map((id) => rows.find((row) => row.reservation_id === id)?.alive ?? false);
    },
    verify: (user: string) =>
      database.serviceStatement(sql<{ invariant: string; transaction_id: string | null }>`
        SELECT * FROM verify_credits(${user})`),
  };
}

function looksInto(clone: TestDatabase) {
  return {
    async balance(user: string): Promise<AccountState> {
      const [row] = await clone.query<AccountState>(
        `SELECT credited_micro AS credited, debited_micro AS debited, reserved_micro AS reserved, debt_micro AS debt,
                credited_micro - debited_micro - reserved_micro AS available FROM credit_balances WHERE user_id = $1`,
        [user],
      );
      if (!row) throw new Error(`no account ${user}`);
      return row;
    },
    reservations: (user: string) =>
      clone.query<ReservationState>(
        `SELECT id, run_id, state, held_micro AS held, consumed_micro AS consumed, released_micro AS released,
                late_micro AS late, written_off_micro AS written_off, seq
         FROM credit_reservations WHERE user_id = $1 ORDER BY created_at, id`,
        [user],
      ),
    async reservation(id: string): Promise<ReservationState> {
      const [row] = await clone.query<ReservationState>(
        `SELECT id, run_id, state, held_micro AS held, consumed_micro AS consumed, released_micro AS released,
                late_micro AS late, written_off_micro AS written_off, seq FROM credit_reservations WHERE id = $1`,
        [id],
      );
      if (!row) throw new Error(`no reservation ${id}`);
      return row;
    },
    /** Makes a hold overdue without sweeping it. */
    lapse: (id: string) =>
      clone.query(
        `UPDATE credit_reservations SET expires_at = clock_timestamp() - interval '1 second' WHERE id = $1`,
        [id],
      ),
    /** Types of the events of a user in order of appending. */
    async events(user: string): Promise<{ type: string; data: Record<string, unknown>; seq: bigint }[]> {
      return clone.query(
        `SELECT type, data, aggregate_seq AS seq FROM event_outbox WHERE user_id = $1 AND source = 'credits'
         ORDER BY created_at, aggregate_id, aggregate_seq`,
        [user],
      );
    },
    /** The monthly job for one account, as if its period and so many more were over. */
    async renew(user: string, missed: number) {
      const [row] = await clone.query<{ granted: bigint; rolled: bigint; expired: bigint; skipped: number }>(
        `SELECT r.granted, r.rolled, r.expired, r.skipped
         FROM user_subscriptions s, LATERAL sb.lock_account(s.user_id) l,
              LATERAL sb.renew_account(l.user_id, s.current_period_end + $2 * interval '1 month' + interval '4 days') r
         WHERE s.user_id = $1`,
        [user, missed],
      );
      return row;
    },
    count: async (table: string) => {
      const [row] = await clone.query<{ n: bigint }>(`SELECT count(*) AS n FROM ${table}`);
      return row?.n ?? 0n;
    },
  };
}

/** Asserts that a call fails with this SQLSTATE. */
export async function expectState(call: Promise<unknown>, state: string): Promise<void> {
  await expect(call).rejects.toMatchObject({ code: state });
}

/** Asserts that an account, recomputed from its log, has no drift. */
export async function expectNoDrift(ledger: Ledger, ...users: string[]): Promise<void> {
  for (const user of users) expect(await ledger.verify(user)).toEqual([]);
}

/** One usage item of a run, as the service hands it to the ledger. */
export function usageItem(run: string, step: string, quantity: number, operation = 'web.search', line = 0) {
  return {
    root_run_id: run,
    run_id: run,
    step_id: step,
    key: `step:${step}:${line}`,
    operation,
    quantity: String(quantity),
    occurred_at: '2026-01-13T10:00:00.000Z',
  };
}
