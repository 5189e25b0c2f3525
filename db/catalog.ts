import type { Client } from 'pg';

/** What a database holds of ours, in an order of its own: read from the catalog of Postgres 15 or later. */
export interface Catalog {
  readonly schemas: readonly Described[];
  readonly enums: readonly (Described & { values: string[] })[];
  readonly tables: readonly Table[];
  readonly functions: readonly (Described & { schema: string; definition: string })[];
  readonly triggers: readonly (Described & { table: string; definition: string })[];
  readonly grants: readonly Grant[];
}

interface Described {
  readonly name: string;
  readonly comment: string | null;
}

export interface Table extends Described {
  readonly schema: string;
  /** `RANGE (created_at)` for a partitioned table. */
  readonly partition_key: string | null;
  readonly options: string[] | null;
  readonly row_security: boolean;
  readonly columns: readonly Column[];
  readonly constraints: readonly (Described & { definition: string })[];
  readonly indexes: readonly (Described & { definition: string; constraint: boolean })[];
  readonly policies: readonly Policy[];
}

export interface Column extends Described {
  /** As Postgres prints it: `timestamp with time zone`, `text[]`, `public.tool_type`. */
  readonly type: string;
  readonly not_null: boolean;
  /** Default or generation expression. */
  readonly expression: string | null;
  readonly generated: boolean;
  readonly identity: 'ALWAYS' | 'BY DEFAULT' | null;
}

export interface Policy extends Described {
  readonly command: 'ALL' | 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE';
  readonly permissive: boolean;
  readonly roles: string[];
  readonly using: string | null;
  readonly check: string | null;
}

export interface Grant {
  /** `TABLE public.agent_runs`, `FUNCTION …`, `SCHEMA sb`. */
  readonly object: string;
  readonly privilege: string;
  /** Columns of a grant on single columns. */
  readonly columns: string[] | null;
  readonly grantee: string;
}

type Query = Pick<Client, 'query'>;

/**
 * Reads everything of ours in the schemas public and sb: no partitions (their names change with the months), no
 * members of extensions, no register of the migration tool. Sorted by name, so that two databases compare.
 */
export async function readCatalog(client: Query): Promise<Catalog> {
  await client.query(`SET search_path = ''`); // so that every name is printed with its schema
  const rows = async <T extends object>(sql: string): Promise<T[]> => (await client.query<T>(sql)).rows;
  return {
    schemas: await rows(schemasSql),
    enums: await rows(enumsSql),
    tables: await rows(tablesSql),
    functions: await rows(functionsSql),
    triggers: await rows(triggersSql),
    grants: await rows(grantsSql),
  };
}

const ours = `nspname IN ('public', 'sb')`;
const noExtension = (catalog: string, oid: string): string =>
  `NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = '${catalog}'::regclass AND d.objid = ${oid} AND d.deptype = 'e')`;
const ourTable = `${ours} AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND c.relname <> 'schema_migrations' AND ${noExtension('pg_class', 'c.oid')}`;
const ourFunction = `${ours} AND ${noExtension('pg_proc', 'p.oid')}`;

const schemasSql = `
  SELECT nspname AS name, obj_description(oid, 'pg_namespace') AS comment
  FROM pg_namespace WHERE nspname IN ('sb', 'sb_partitions') ORDER BY nspname`;

const enumsSql = `
  SELECT n.nspname || '.' || t.typname AS name, obj_description(t.oid, 'pg_type') AS comment,
         (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid) AS values
  FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
  WHERE ${ours} AND t.typtype = 'e' AND ${noExtension('pg_type', 't.oid')}
  ORDER BY 1`;

const columnsSql = `
  SELECT jsonb_agg(jsonb_build_object(
    'name', a.attname, 'comment', col_description(c.oid, a.attnum),
    'type', format_type(a.atttypid, a.atttypmod), 'not_null', a.attnotnull,
    'expression', pg_get_expr(x.adbin, x.adrelid), 'generated', a.attgenerated <> '',
    'identity', CASE a.attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' END) ORDER BY a.attnum)
  FROM pg_attribute a LEFT JOIN pg_attrdef x ON x.adrelid = a.attrelid AND x.adnum = a.attnum
  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped`;

// Since Postgres 18 NOT NULL is a constraint with a name; the columns say it already. Rows with a parent are the
// copies that a foreign key keeps per partition.
const constraintsSql = `
  SELECT jsonb_agg(jsonb_build_object(
    'name', k.conname, 'comment', obj_description(k.oid, 'pg_constraint'), 'definition', pg_get_constraintdef(k.oid))
    ORDER BY array_position(ARRAY['p', 'u', 'x', 'f', 'c']::"char"[], k.contype), k.conname)
  FROM pg_constraint k
  WHERE k.conrelid = c.oid AND k.contype IN ('p', 'u', 'x', 'f', 'c') AND k.conparentid = 0`;

const indexesSql = `
  SELECT jsonb_agg(jsonb_build_object(
    'name', ic.relname, 'comment', obj_description(ic.oid, 'pg_class'), 'definition', pg_get_indexdef(i.indexrelid),
    'constraint', EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.conrelid = c.oid AND k.contype IN ('p', 'u', 'x')))
    ORDER BY ic.relname)
  FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid
  WHERE i.indrelid = c.oid`;

const policiesSql = `
  SELECT jsonb_agg(jsonb_build_object(
    'name', p.polname, 'comment', obj_description(p.oid, 'pg_policy'),
    'command', CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
    'permissive', p.polpermissive,
    'roles', (SELECT jsonb_agg(CASE r WHEN 0 THEN 'public' ELSE pg_get_userbyid(r) END
                               ORDER BY CASE r WHEN 0 THEN 'public' ELSE pg_get_userbyid(r) END)
              FROM unnest(p.polroles) AS r),
    'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid)) ORDER BY p.polname)
  FROM pg_policy p WHERE p.polrelid = c.oid`;

const tablesSql = `
  SELECT n.nspname AS schema, c.relname AS name, obj_description(c.oid, 'pg_class') AS comment,
         pg_get_partkeydef(c.oid) AS partition_key, c.reloptions::text[] AS options, c.relrowsecurity AS row_security,
         coalesce((${columnsSql}), '[]') AS columns, coalesce((${constraintsSql}), '[]') AS constraints,
         coalesce((${indexesSql}), '[]') AS indexes, coalesce((${policiesSql}), '[]') AS policies
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE ${ourTable}
  ORDER BY n.nspname COLLATE "C", c.relname`;

const functionsSql = `
  SELECT n.nspname AS schema, p.oid::regprocedure::text AS name, obj_description(p.oid, 'pg_proc') AS comment,
         pg_get_functiondef(p.oid) AS definition
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
  WHERE ${ourFunction} AND p.prokind IN ('f', 'p')
  ORDER BY p.oid::regprocedure::text COLLATE "C"`;

const triggersSql = `
  SELECT t.tgname AS name, t.tgrelid::regclass::text AS table, obj_description(t.oid, 'pg_trigger') AS comment,
         pg_get_triggerdef(t.oid) AS definition
  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
  JOIN pg_namespace n ON n.oid = p.pronamespace
  WHERE NOT t.tgisinternal AND NOT c.relispartition AND ${ourFunction}
  ORDER BY t.tgrelid::regclass::text COLLATE "C", t.tgname`;

// The owner's own rights say nothing, and who the owner is depends on who migrated. An absent list of rights means
// the built-in one: for functions that is EXECUTE to PUBLIC, which must show.
const grantsSql = `
  WITH acl AS (
    SELECT 'TABLE ' || c.oid::regclass AS object, NULL::text AS column_name, c.relowner AS owner, a.*
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) a WHERE ${ourTable}
    UNION ALL
    SELECT 'TABLE ' || c.oid::regclass, att.attname, c.relowner, a.*
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute att ON att.attrelid = c.oid, aclexplode(att.attacl) a WHERE ${ourTable}
    UNION ALL
    SELECT 'FUNCTION ' || p.oid::regprocedure, NULL, p.proowner, a.*
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace,
         aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE ${ourFunction}
    UNION ALL
    SELECT 'SCHEMA ' || n.oid::regnamespace, NULL, n.nspowner, a.*
    FROM pg_namespace n, aclexplode(n.nspacl) a WHERE nspname IN ('sb', 'sb_partitions')
  )
  SELECT object, privilege_type AS privilege,
         array_agg(column_name ORDER BY column_name COLLATE "C") FILTER (WHERE column_name IS NOT NULL) AS columns,
         CASE grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(grantee)::text END AS grantee
  FROM acl WHERE grantee <> owner
  GROUP BY object, privilege_type, grantee, column_name IS NULL
  ORDER BY object COLLATE "C", min(CASE grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(grantee)::text END) COLLATE "C",
           privilege_type COLLATE "C", column_name IS NULL DESC`;

/** The values to which a check restricts a column, written `in ('a', 'b')` or `= any ('{a,b}')`; none where it does not. */
export function checkedValues(table: Table, column: Column): string[] {
  const start = `CHECK ((${column.name} = ANY (`;
  const list = table.constraints
    .find(({ definition }) => definition.startsWith(start))
    ?.definition.slice(start.length);
  const array = list?.match(/^'\{([a-z_,-]+)\}'::text\[\]\)\)\)$/)?.[1];
  if (array !== undefined) return array.split(',');
  return [...(list ?? '').matchAll(/'((?:[^']|'')*)'::text/g)].map(([, value = '']) => value);
}
