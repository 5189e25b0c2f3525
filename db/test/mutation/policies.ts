import type { Session } from '../acting.ts';
import type { Mutant } from './mutant.ts';

interface PolicyRow {
  readonly table: string;
  readonly name: string;
  readonly roles: string[];
  readonly using: string | null;
  readonly check: string | null;
}

/** Every policy gone, open, or for others; and every table with its row-level security switched off. */
export async function policyMutants(session: Session): Promise<Mutant[]> {
  const policies = await session.query<PolicyRow>(`
    SELECT schemaname || '.' || tablename AS table, policyname::text AS name, roles::text[] AS roles,
           qual AS using, with_check AS check
    FROM pg_policies WHERE schemaname IN ('public', 'sb') ORDER BY 1, 2`);
  const tables = await session.query<{ name: string }>(`
    SELECT n.nspname || '.' || c.relname AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relrowsecurity AND NOT c.relispartition ORDER BY 1`);
  return [
    ...policies.flatMap(ofPolicy),
    ...tables.map(({ name }) =>
      mutant(name, `${name}: row-level security off`, `ALTER TABLE ${name} DISABLE ROW LEVEL SECURITY`),
    ),
  ];
}

function ofPolicy(policy: PolicyRow): Mutant[] {
  const { table, name, using, check, roles } = policy;
  const open = (expression: string | null): boolean => expression === null || expression === 'true';
  const what = `${table}: policy ${name}`;
  const alter = `ALTER POLICY ${name} ON ${table}`;
  // USING also stands for a WITH CHECK that is not written.
  return [
    mutant(table, `${what} dropped`, `DROP POLICY ${name} ON ${table}`),
    ...(open(using) ? [] : [mutant(table, `${what} USING (true)`, `${alter} USING (true)`)]),
    ...(open(check) ? [] : [mutant(table, `${what} WITH CHECK (true)`, `${alter} WITH CHECK (true)`)]),
    mutant(table, `${what} for another role`, `${alter} TO ${neighbourOf(roles)}`),
  ];
}

/** A role that has nothing to do with those. */
function neighbourOf(roles: readonly string[]): string {
  const services = ['sb_collab', 'sb_credits'];
  return services.find((service) => !roles.some((role) => role.startsWith(service))) ?? 'anon';
}

function mutant(object: string, name: string, sql: string): Mutant {
  return { kind: 'policies', object, name, sql };
}
