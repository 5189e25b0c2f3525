import { createTestDatabase } from '@swissbrain/testkit/database';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSession, type Session } from './acting.ts';
import { alice, session as alicesSession, bob, nobody, type Row } from './constraints/table.ts';
import { claimsOf, serviceRoles } from './rls/people.ts';
import { createRows } from './rls/targets.ts';
import { asActor, insertion, signOf } from './rls/try-cells.ts';
import { onInnerTrial, onTrial, refusalOf } from './trial.ts';
import { inSecondWorld, moved, rowOf } from './world.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let session: Session;

beforeAll(async () => {
  database = await createTestDatabase();
  session = await openSession(database.adminUrl);
  await createRows(session);
});
afterAll(async () => {
  await session.end();
  await database.drop();
});

const userRoles = serviceRoles.map((role) => `${role}_user`);
const roles = [
  ...['anon', 'authenticated', 'service_role', ...serviceRoles, ...userRoles],
  ...serviceRoles.map((role) => `${role}_login`),
];
const another = claimsOf.another;
const ownerOf = (table: string) => ('owner_id' in rowOf(table) ? 'owner_id' : 'user_id');

/** Tables on which a role of people has a privilege, on some column at least, with those columns. */
function granted(privilege: 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE') {
  return session.query<{ table: string; role: string; columns: string[] }>(
    `SELECT 'public.' || c.relname AS table, role, array_agg(a.attname::text ORDER BY a.attnum) AS columns
     FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND a.attgenerated = '',
          unnest($1::name[]) AS role
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
       AND CASE $2 WHEN 'DELETE' THEN has_table_privilege(role, c.oid, $2)
                   ELSE has_column_privilege(role, c.oid, a.attnum, $2) END
     GROUP BY c.oid, role ORDER BY 1, 2`,
    [['authenticated', ...userRoles], privilege],
  );
}

describe('rows of other users', () => {
  it('are on no list', async () => {
    const foreign: string[] = [];
    const seen = new Set<string>();
    await onTrial(session, async () => {
      for (const { table, role, columns } of await granted('SELECT')) {
        const owner = columns.find((column) => column === 'owner_id') ?? 'user_id';
        if (!columns.includes(owner)) continue;
        const owners = await onInnerTrial(session, async () => {
          await session.query(asActor({ role, claims: another }));
          return session.query<{ id: string | null }>(`SELECT DISTINCT ${owner} AS id FROM ${table}`);
        });
        if (owners.some(({ id }) => id === another.sub)) seen.add(table);
        if (owners.some(({ id }) => id !== another.sub && id !== null)) foreign.push(`${role}: ${table}`);
      }
    });
    expect(foreign).toEqual([]);
    expect(seen.size).toBeGreaterThanOrEqual(20);
  });

  const belonging =
    /^(user|owner|tenant|root|root_run|parent_run|run|step|session|job|task|definition|credential|reservation|template|actor|invite)_id$|^source$/;

  it('are not what a row can be turned into, nor moved to: what it belongs to is out of reach', async () => {
    const changeable = (await granted('UPDATE')).flatMap(({ table, role, columns }) =>
      columns.filter((column) => belonging.test(column)).map((column) => `${role}: ${table}.${column}`),
    );
    expect(changeable).toEqual([]);
  });

  it('are not what a row can be turned into even with a grant: WITH CHECK refuses it', async () => {
    const tried: string[] = [];
    const found: string[] = [];
    await onTrial(session, async () => {
      for (const { table, role } of await granted('UPDATE')) {
        const owner = ownerOf(table);
        if (table === 'public.api_idempotency') {
          await session.query(`UPDATE ${table} SET source = $1 WHERE user_id = $2`, [
            sourceOf(role),
            another.sub,
          ]);
        }
        await session.query(`GRANT UPDATE ON ${table} TO ${role}`);
        const refusal = await refusalOf(session, async () => {
          await session.query(asActor({ role, claims: another }));
          await session.query(`UPDATE ${table} SET ${owner} = '${alice}'`);
        });
        tried.push(table);
        if (refusal === null || signOf(refusal) !== 'p') found.push(`${role}: ${table}.${owner}`);
      }
    });
    expect(found).toEqual([]);
    expect(tried.length).toBeGreaterThanOrEqual(14);
  });

  const sourceOf = (role: string) => role.replace(/^sb_|_user$/g, '').replaceAll('_', '-');

  // Without a WHERE or RETURNING that reads, no policy for SELECT hides the rows that the other policies would let go.
  it.each(['UPDATE', 'DELETE'] as const)('are not touched by a blind %s', async (command) => {
    const reach = (await granted(command)).filter(({ table }) => table !== 'public.api_idempotency');
    const touched: string[] = [];
    for (const { table, role, columns } of reach) {
      const others = `FROM ${table} t WHERE ${ownerOf(table)} IS DISTINCT FROM '${another.sub}'`;
      const column = ['updated_at', 'finished_at', 'revoked_at', 'answered_at'].find((name) =>
        columns.includes(name),
      );
      await onTrial(session, async () => {
        const before = await session.query(`SELECT to_jsonb(t) AS row ${others} ORDER BY 1`);
        const refusal = await refusalOf(session, async () => {
          await session.query(asActor({ role, claims: another }));
          const rest = command === 'UPDATE' ? `${table} SET ${column} = now()` : `FROM ${table}`;
          await session.query(`${command} ${rest}`);
          await session.query('RESET ROLE');
          expect(await session.query(`SELECT to_jsonb(t) AS row ${others} ORDER BY 1`)).toEqual(before);
        });
        if (refusal !== null) touched.push(`${role}: ${table} ${refusal.message}`);
      });
    }
    expect(touched).toEqual([]);
    expect(reach.length).toBeGreaterThanOrEqual(7);
  });

  it.each(["role = 'editor'", 'revoked_at = now()', `session_id = '${inSecondWorld(alicesSession)}'`])(
    'are reached by no participant who sets their own %s',
    async (change) => {
      await onTrial(session, async () => {
        await session.query('GRANT UPDATE ON collaboration_participants TO sb_collab_user');
        await session.query(asActor({ role: 'sb_collab_user', claims: claimsOf.participant }));
        const refusal = await refusalOf(session, () =>
          session.query(`UPDATE collaboration_participants SET ${change} WHERE user_id = '${bob}'`),
        );
        expect(refusal === null ? '+' : signOf(refusal)).toBe('p');
      });
    },
  );

  it('are no different from rows that do not exist for whoever names one as a parent', async () => {
    const telling: string[] = [];
    const tried: string[] = [];
    await onTrial(session, async () => {
      const insertable = new Map(
        (await granted('INSERT')).map((each) => [`${each.table} ${each.role}`, each]),
      );
      for (const { table, role, columns } of insertable.values()) {
        for (const { parents, name } of await parentsOf(table)) {
          if (!parents.every((column) => columns.includes(column))) continue;
          // The very row that Alice has, in the other's name and with no such row of the other's own in the way: a key that
          // it shares with hers must not answer before the parent does.
          const mine: Row = { ...moved(rowOf(table)), id: nobody };
          const under = (parent: string) =>
            attempt(role, table, columns, {
              ...mine,
              ...Object.fromEntries(parents.map((column) => [column, parent])),
            });
          const known = rowOf(table)[parents[0] ?? ''] ?? rowOf(table)['id'];
          const foreign = await under(String(known));
          const missing = await under(inSecondWorld(inSecondWorld(nobody)));
          tried.push(name);
          if (foreign === null || foreign !== missing)
            telling.push(`${role}, ${name}: ${foreign}; ${missing}`);
        }
      }
    });
    expect(telling).toEqual([]);
    expect(tried.length).toBeGreaterThanOrEqual(10);
  });

  /** Foreign keys of a table with the columns that name a parent, without those that say whose it is. */
  async function parentsOf(table: string) {
    const keys = await session.query<{ name: string; columns: string[] }>(
      `SELECT conname AS name, array(SELECT attname::text FROM pg_attribute WHERE attrelid = conrelid AND attnum = ANY (conkey)) AS columns
       FROM pg_constraint WHERE conrelid = $1::regclass AND contype = 'f' AND confrelid <> 'auth.users'::regclass`,
      [table],
    );
    return keys.map(({ name, columns }) => ({
      name,
      parents: columns.filter((column) => column !== 'user_id' && column !== 'owner_id'),
    }));
  }

  /** What an INSERT as the other user is answered, without the values that it gave itself; null when it is done. */
  async function attempt(
    role: string,
    table: string,
    columns: readonly string[],
    row: Row,
  ): Promise<string | null> {
    const refusal = await refusalOf(session, async () => {
      await session.query(`DELETE FROM ${table} WHERE ${ownerOf(table)} = '${another.sub}'`);
      await session.query(asActor({ role, claims: another }));
      await session.query(insertion(table, row, columns));
    });
    if (refusal === null) return null;
    const { code, constraint, message, detail } = refusal;
    return [code, constraint, message, detail].join(' ').replaceAll(/5[bc]000000-0000-4000-8000-\d+/g, 'id');
  }
});

describe('partitions by name', () => {
  it('give nothing to anybody', async () => {
    const partitions = await session.query<{ name: string }>(
      `SELECT c.oid::regclass::text AS name FROM pg_class c
       WHERE relnamespace = 'sb_partitions'::regnamespace AND relkind = 'r' ORDER BY 1`,
    );
    expect(partitions.length).toBeGreaterThanOrEqual(25);
    const open: string[] = [];
    await onTrial(session, async () => {
      for (const role of roles) {
        await session.query(asActor({ role, claims: claimsOf.owner }));
        for (const { name } of partitions) {
          const verbs = [`SELECT FROM ${name}`];
          if (name.endsWith('_default'))
            verbs.push(`INSERT INTO ${name} DEFAULT VALUES`, `DELETE FROM ${name}`);
          for (const statement of verbs) {
            const refusal = await refusalOf(session, () => session.query(statement));
            if (refusal === null || signOf(refusal) !== '-') open.push(`${role}: ${statement}`);
          }
        }
      }
    });
    expect(open).toEqual([]);
  });
});

describe('roles', () => {
  it.each(serviceRoles)('of %s become no other than their own two', async (service) => {
    const all = await session.query<{ name: string }>(
      'SELECT rolname AS name FROM pg_roles ORDER BY rolname',
    );
    const login = `${service}_login`;
    const reachable = await onTrial(session, async () => {
      await session.query(`SET LOCAL SESSION AUTHORIZATION ${login}`);
      const open: string[] = [];
      for (const { name } of all) {
        if ((await refusalOf(session, () => session.query(`SET LOCAL ROLE "${name}"`))) === null)
          open.push(name);
      }
      return open;
    });
    expect(reachable).toEqual([service, login, `${service}_user`].toSorted());
  });

  it('of services have no rights in the schemas of the others, by way of a default or of PUBLIC', async () => {
    const open = await session.query(
      `SELECT n.nspname, a.privilege_type, a.grantee::regrole FROM pg_namespace n, aclexplode(n.nspacl) a
       WHERE n.nspname IN ('sb', 'sb_partitions') AND a.grantee <> n.nspowner
         AND (n.nspname = 'sb_partitions' OR a.privilege_type <> 'USAGE' OR a.grantee = 0)`,
    );
    expect(open).toEqual([]);
  });
});

describe('functions', () => {
  const people = ['sb.current_user_id()', 'sb.require_user(regclass)'];
  const participants = ['sb.participating_roles()', 'sb.participating_sessions()'];

  it('are open to people by name alone, and none to PUBLIC or anon', async () => {
    const open = await session.query<{ role: string; functions: string[] }>(
      `SELECT role, array_agg(p.oid::regprocedure::text ORDER BY p.oid::regprocedure::text) AS functions
       FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace, unnest($1::name[]) AS role
       WHERE n.nspname IN ('public', 'sb') AND has_function_privilege(role, p.oid, 'EXECUTE')
         AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
       GROUP BY role ORDER BY role`,
      [
        [
          'anon',
          'authenticated',
          'service_role',
          ...userRoles,
          ...serviceRoles.map((role) => `${role}_login`),
        ],
      ],
    );
    const user = ['ensure_user(uuid)', ...people];
    const more: Readonly<Record<string, readonly string[]>> = {
      sb_collab_user: ['generate_share_token()', ...participants],
      sb_scheduler_user: [
        'calculate_next_run(text,timestamp with time zone,bigint,timestamp with time zone,timestamp with time zone)',
      ],
    };
    expect(Object.fromEntries(open.map(({ role, functions }) => [role, functions]))).toEqual({
      authenticated: [...people, ...participants].toSorted(),
      ...Object.fromEntries(userRoles.map((role) => [role, [...user, ...(more[role] ?? [])].toSorted()])),
    });
  });

  it('pin their search_path, to schemas in which nobody but the owner creates anything', async () => {
    const loose = await session.query(
      `SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
       WHERE n.nspname IN ('public', 'sb', 'auth')
         AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
         AND NOT coalesce(p.proconfig && ARRAY['search_path=""', 'search_path=pg_catalog, extensions, public, pg_temp'], false)`,
    );
    expect(loose).toEqual([]);
    const builders = await session.query(
      `SELECT role, schema FROM unnest($1::name[]) AS role, unnest('{public,sb,extensions,auth}'::name[]) AS schema
       WHERE has_schema_privilege(role, schema, 'CREATE')`,
      [roles],
    );
    expect(builders).toEqual([]);
  });

  it("with their owner's rights take no other user's id, and tell nothing about one", async () => {
    await onTrial(session, async () => {
      const ask = (role: string, call: string) =>
        onInnerTrial(session, async () => {
          await session.query(asActor({ role, claims: another }));
          return session.query<{ answer: unknown }>(`SELECT ${call} AS answer`);
        });
      for (const role of userRoles) {
        await expect(ask(role, `ensure_user('${alice}')`)).rejects.toMatchObject({ code: '42501' });
      }
      for (const role of ['authenticated', 'sb_collab_user']) {
        for (const call of ['sb.participating_sessions()', 'sb.participating_roles()::text']) {
          const told = (await ask(role, call)).map(({ answer }) => String(answer));
          expect(told.filter((answer) => answer.includes(alicesSession))).toEqual([]);
        }
      }
    });
  });

  it('and views run as whoever asks: a definer is one that this list knows', async () => {
    const definers = await session.query<{ name: string }>(
      `SELECT p.oid::regprocedure::text AS name FROM pg_proc p, unnest($1::name[]) AS role
       WHERE p.prosecdef AND p.pronamespace IN ('public'::regnamespace, 'sb'::regnamespace)
         AND has_function_privilege(role, p.oid, 'EXECUTE') GROUP BY p.oid ORDER BY 1`,
      [['anon', 'authenticated', ...userRoles]],
    );
    expect(definers.map(({ name }) => name)).toEqual(['ensure_user(uuid)', ...participants]);

    const ownersViews = () =>
      session.query<{ view: string }>(
        `SELECT oid::regclass::text AS view FROM pg_class
         WHERE relnamespace IN ('public'::regnamespace, 'sb'::regnamespace)
           AND (relkind = 'm' OR relkind = 'v' AND NOT coalesce(reloptions && '{security_invoker=true,security_invoker=on}', false))`,
      );
    expect(await ownersViews()).toEqual([]);
    await onTrial(session, async () => {
      await session.query('CREATE VIEW leak AS SELECT * FROM agent_runs');
      await session.query('CREATE VIEW tight WITH (security_invoker = true) AS SELECT * FROM agent_runs');
      expect(await ownersViews()).toEqual([{ view: 'leak' }]);
    });
  });
});
