import { principalFor } from '@swissbrain/testkit/service-database';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectState, type Ledger, openLedger } from './ledger-fixture.ts';

let ledger: Ledger;
beforeAll(async () => {
  ledger = await openLedger();
});
afterAll(() => ledger?.close());

const tables = [
  'subscription_tiers',
  'user_subscriptions',
  'credit_balances',
  'credit_transactions',
  'credit_pricing',
  'credit_reservations',
  'credit_grants',
  'credit_idempotency',
  'credit_audit',
  'subscription_tier_versions',
];
const functions = [
  'check_credits',
  'reserve_credits',
  'consume_credits',
  'release_credits',
  'grant_monthly_credits',
  'extend_reservation',
  'heartbeat_reservations',
  'expire_reservations',
  'consume_usage',
  'record_closing',
  'claim_incomplete_closings',
  'adjust_credits',
  'grant_credits',
  'expire_grants_due',
  'verify_accounts',
  'verify_credits',
  'open_account',
  'close_account',
  'change_tier',
  'price_estimate',
  'choose_tier',
  'set_low_thresholds',
  'apply_tier_versions',
  'operator_grant',
  'operator_adjust',
  'operator_refund',
  'operator_revoke_grant',
  'operator_change_tier',
  'operator_version_price',
  'operator_version_tier',
  'record_operator_read',
];

describe('the ledger is written by its functions alone', () => {
  test.each(tables)('no role of a service or of Supabase may write %s', async (table) => {
    const rows = await ledger.clone.query<{ role: string; privilege: string }>(
      `SELECT r.rolname AS role, p AS privilege
       FROM pg_roles r, unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) p
       WHERE (r.rolname LIKE 'sb\\_%' OR r.rolname IN ('anon', 'authenticated', 'service_role'))
         AND has_table_privilege(r.oid, $1, p)`,
      [table],
    );
    expect(rows).toEqual([]);
  });

  test('nor may a partition be reached by its name', async () => {
    const [partition] = await ledger.clone.query<{ name: string }>(
      `SELECT inhrelid::regclass::text AS name FROM pg_inherits
       WHERE inhparent = 'public.credit_transactions'::regclass LIMIT 1`,
    );
    const name = sql.raw(partition?.name ?? '');
    await expectState(ledger.database.serviceStatement(sql`SELECT * FROM ${name}`), '42501');
  });

  test.each(functions)(
    '%s has one signature, a pinned search path, and is for sb_credits alone',
    async (name) => {
      const rows = await ledger.clone.query<{ definer: boolean; config: string[] | null; callers: string[] }>(
        `SELECT p.prosecdef AS definer, p.proconfig AS config, array(
         SELECT r.rolname::text FROM pg_roles r
         WHERE (r.rolname LIKE 'sb\\_%' OR r.rolname IN ('anon', 'authenticated', 'service_role'))
           AND has_function_privilege(r.oid, p.oid, 'EXECUTE')) AS callers
       FROM pg_proc p WHERE p.proname = $1`,
        [name],
      );
      const config = ['search_path=""', ...(name === 'verify_accounts' ? ['jit=off'] : [])];
      expect(rows).toEqual([{ definer: true, config, callers: ['sb_credits'] }]);
    },
  );

  test('no helper in sb can be called by a service', async () => {
    const rows = await ledger.clone.query<{ name: string }>(
      `SELECT p.oid::regprocedure::text AS name FROM pg_proc p
       WHERE p.pronamespace = 'sb'::regnamespace AND p.prosrc LIKE '%credit%'
         AND has_function_privilege('sb_credits', p.oid, 'EXECUTE')`,
    );
    expect(rows).toEqual([]);
  });
});

describe('people', () => {
  test('see their own rows and everybody the tiers and prices, and change nothing', async () => {
    const [mine, theirs] = [await ledger.account(), await ledger.account()];
    await ledger.reserve(mine);
    await ledger.reserve(theirs);
    const own = [
      'user_subscriptions',
      'credit_balances',
      'credit_transactions',
      'credit_reservations',
      'credit_grants',
    ];
    for (const table of own) {
      const rows = await ledger.database.withUser(principalFor(mine), async (tx) => {
        return (await sql<{ user_id: string }>`SELECT user_id FROM ${sql.table(table)}`.execute(tx)).rows;
      });
      expect(rows.length, table).toBeGreaterThan(0);
      expect(new Set(rows.map(({ user_id }) => user_id)), table).toEqual(new Set([mine]));
    }
    const asUser = (statement: string) =>
      ledger.database.withUser(principalFor(mine), (tx) => sql.raw(statement).execute(tx));
    expect((await asUser('SELECT * FROM subscription_tiers')).rows).toHaveLength(4);
    expect((await asUser('SELECT * FROM credit_pricing')).rows).toHaveLength(13);
    await expectState(asUser('SELECT * FROM credit_idempotency'), '42501');
    await expectState(asUser(`SELECT adjust_credits('${mine}', 'adjust', 1, 'k', 'r')`), '42501');
    await expectState(asUser('UPDATE credit_balances SET credited_micro = 1'), '42501');
  });

  test('without claims nothing is shown, not even an empty list', async () => {
    const nobody = { userId: '', tenantId: null, scopes: [], claims: {} };
    const read = ledger.database.withUser(nobody, (tx) => sql`SELECT * FROM credit_balances`.execute(tx));
    await expectState(read, '42501');
  });
});

test('money outlives its user', async () => {
  const user = await ledger.account();
  await ledger.clone.query('INSERT INTO auth.users (id) VALUES ($1)', [user]);
  await ledger.clone.query('DELETE FROM auth.users WHERE id = $1', [user]);
  expect((await ledger.balance(user)).credited).toBeGreaterThan(0n);
});
