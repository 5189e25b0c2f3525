import type { Session } from './acting.ts';
import { columnRights } from './columns.ts';
import { commands, nothing, readMatrix } from './rls/matrix.ts';
import { actorsIn, everybodyElse, serviceRoles } from './rls/people.ts';

/**
 * Compares the rights of every role on every table with the matrix: `-` there means that the role has no right, any
 * other sign that it has one, on some column at least. The matrix tries statements that read what they change, so it
 * cannot tell a missing UPDATE from a missing SELECT; this can.
 * @returns the differences, one line each
 */
export async function checkPrivileges(session: Session): Promise<string[]> {
  const expected = expectedRights();
  const found = await session.query<{ name: string; role: string; rights: string }>(
    `
    SELECT n.nspname || '.' || c.relname AS name, r.rolname::text AS role,
      concat_ws(' ',
        CASE WHEN has_any_column_privilege(r.oid, c.oid, 'SELECT') THEN 'select' END,
        CASE WHEN has_any_column_privilege(r.oid, c.oid, 'INSERT') THEN 'insert' END,
        CASE WHEN has_any_column_privilege(r.oid, c.oid, 'UPDATE') THEN 'update' END,
        CASE WHEN has_table_privilege(r.oid, c.oid, 'DELETE') THEN 'delete' END,
        CASE WHEN has_table_privilege(r.oid, c.oid, 'TRUNCATE, REFERENCES, TRIGGER') THEN 'more' END) AS rights
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, pg_roles r
    WHERE n.nspname IN ('public', 'sb') AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND (r.rolname IN ('anon', 'authenticated', 'service_role') OR r.rolname = ANY ($1))`,
    [everyRole],
  );
  return found.flatMap(({ name, role, rights }) => {
    const right = [...(expected.get(`${name} ${role}`) ?? [])].join(' ');
    return right === rights
      ? []
      : [`${name}, ${role}: ${right || 'no right'} expected, ${rights || 'none'} found`];
  });
}

/**
 * Compares rights on single columns with columns.ts.
 * @returns the differences, one line each
 */
export async function checkColumnRights(session: Session): Promise<string[]> {
  const expected = new Map(
    columnRights.flatMap(({ table, roles, ...rights }) =>
      roles.flatMap((role) =>
        Object.entries(rights).map(
          ([right, columns]) => [`${right} on ${table} for ${role}`, columns.split(/\s+/)] as const,
        ),
      ),
    ),
  );
  const rows = await session.query<{ name: string; columns: string[] }>(
    `
    SELECT lower(p) || ' on ' || n.nspname || '.' || c.relname || ' for ' || r.rolname AS name,
           array_agg(a.attname::text) AS columns
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped,
      pg_roles r, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE']) AS p
    WHERE n.nspname IN ('public', 'sb') AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND (r.rolname IN ('anon', 'authenticated', 'service_role') OR r.rolname = ANY ($1))
      AND has_column_privilege(r.oid, c.oid, a.attnum, p) AND NOT has_table_privilege(r.oid, c.oid, p)
    GROUP BY 1`,
    [everyRole],
  );
  const found = new Map(rows.map(({ name, columns }) => [name, columns]));
  return [...new Set([...expected.keys(), ...found.keys()])].flatMap((name) => {
    const [wanted, actual] = [expected, found].map((rights) =>
      (rights.get(name) ?? []).toSorted().join(', '),
    );
    return wanted === actual
      ? []
      : [`${name}: ${wanted || 'all columns or none'} expected, ${actual || 'all or none'} found`];
  });
}

const everyRole = serviceRoles.flatMap((role) => [role, `${role}_user`, `${role}_login`]);

/** By table and role, in the order of `commands`. */
function expectedRights(): ReadonlyMap<string, ReadonlySet<string>> {
  const rights = new Map<string, Set<string>>();
  for (const { service: own, columns, lines } of readMatrix()) {
    for (const service of own === null ? serviceRoles : [own]) {
      const actors = [
        ...columns.flatMap((column) => actorsIn(column, service).map((actor) => ({ column, actor }))),
        ...everybodyElse(columns, service).map((actor) => ({ column: '', actor })),
      ];
      for (const { row, cells } of lines) {
        for (const { column, actor } of actors) {
          const signs = cells[column] ?? nothing;
          const key = `public.${row.replace(/ \(.*$/, '')} ${actor.role}`;
          const set = rights.get(key) ?? new Set();
          const granted = commands.filter((command, place) => signs[place] !== '-' || set.has(command));
          rights.set(key, new Set(granted));
        }
      }
    }
  }
  return rights;
}
