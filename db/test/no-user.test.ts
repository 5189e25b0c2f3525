import { createTestDatabase } from '@swissbrain/testkit/database';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSession, type Session } from './acting.ts';
import { alice } from './constraints/table.ts';
import { serviceRoles } from './rls/people.ts';
import { asActor, signOf } from './rls/try-cells.ts';
import { onTrial, refusalOf } from './trial.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let session: Session;

/** Every table without a row, and Postgres knows it: nothing would make it read an index, or look at a policy at all. */
beforeAll(async () => {
  database = await createTestDatabase();
  session = await openSession(database.adminUrl);
  const [tables] = await session.query<{ names: string }>(
    `SELECT string_agg(oid::regclass::text, ', ') AS names FROM pg_class
     WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname <> 'schema_migrations'`,
  );
  // As a replica would: the ledger's triggers refuse it, and what they refuse is tested elsewhere.
  await session.query('SET session_replication_role = replica');
  await session.query(`TRUNCATE ${tables?.names}`);
  await session.query('RESET session_replication_role');
  await session.query(`VACUUM ANALYZE ${tables?.names}`);
});
afterAll(async () => {
  await session.end();
  await database.drop();
});

interface Reach {
  readonly table: string;
  readonly role: string;
  readonly command: 'SELECT' | 'UPDATE' | 'DELETE';
  readonly column: string;
}

/** What people may do with which table at all, with a column that it takes. */
function readReach(): Promise<Reach[]> {
  return session.query<Reach>(
    `SELECT c.oid::regclass::text AS table, role, command, min(a.attname) AS column
     FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND a.attgenerated = '',
          unnest($1::name[]) AS role, unnest('{SELECT,UPDATE,DELETE}'::text[]) AS command
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
       AND CASE command WHEN 'DELETE' THEN has_table_privilege(role, c.oid, command)
                        ELSE has_column_privilege(role, c.oid, a.attnum, command) END
     GROUP BY c.oid, role, command ORDER BY 1, 2, 3`,
    [['authenticated', ...serviceRoles.map((role) => `${role}_user`)]],
  );
}

function statementsOf({ table, command, column }: Reach): string[] {
  switch (command) {
    case 'SELECT':
      return [
        `SELECT ${column} FROM ${table}`,
        `SELECT count(*) FROM ${table}`,
        `SELECT EXISTS (SELECT FROM ${table})`,
        `SELECT max(${column}::text) FROM ${table}`,
        `SELECT one, t.${column} FROM (VALUES (1)) AS v (one) LEFT JOIN ${table} AS t ON t.${column} IS NOT NULL`,
        `SELECT one FROM (VALUES (1)) AS v (one) WHERE NOT EXISTS (SELECT FROM ${table})`,
      ];
    case 'UPDATE':
      // A user of that role may update without reading: then only the policy for UPDATE is there to raise.
      return [`UPDATE ${table} SET ${column} = DEFAULT`];
    case 'DELETE':
      return [`DELETE FROM ${table}`];
  }
}

const claimless = ['', '{}', '{"sub": null}', '{"role": "authenticated", "tenant_id": null}'];

describe('a transaction without a user fails on an empty table', () => {
  it('for everything that people may do', async () => {
    const reach = await readReach();
    expect(new Set(reach.map(({ table }) => table)).size).toBeGreaterThanOrEqual(22);
    const quiet: string[] = [];
    await onTrial(session, async () => {
      for (const each of reach) {
        for (const [at, statement] of statementsOf(each).entries()) {
          const claims = claimless[at % claimless.length] ?? '';
          const refusal = await refusalOf(session, async () => {
            await session.query(`SET LOCAL ROLE ${each.role}; SET LOCAL request.jwt.claims TO '${claims}'`);
            await session.query(statement);
          });
          if (refusal === null || signOf(refusal) !== '!') quiet.push(`${each.role}: ${statement}`);
        }
      }
    });
    expect(quiet).toEqual([]);
  });

  it('also by a plan that was made for a user', async () => {
    const reach = (await readReach()).filter(({ command }) => command === 'SELECT');
    const quiet: string[] = [];
    await onTrial(session, async () => {
      await session.query('SET LOCAL plan_cache_mode = force_generic_plan');
      for (const { table, role, column } of reach) {
        await session.query(asActor({ role, claims: { sub: alice } }));
        await session.query(`PREPARE listing AS SELECT ${column} FROM ${table}`);
        expect(await session.query('EXECUTE listing')).toEqual([]);
        await session.query(asActor({ role, claims: null }));
        const refusal = await refusalOf(session, () => session.query('EXECUTE listing'));
        if (refusal === null || signOf(refusal) !== '!') quiet.push(`${role}: ${table}`);
        await session.query('DEALLOCATE listing; RESET ROLE');
      }
    });
    expect(quiet).toEqual([]);
  });
});
