import type { Session } from '../acting.ts';

/** A constraint or unique index of a table, as the catalog has it. */
export interface Rule {
  /** Name with schema. */
  readonly table: string;
  readonly name: string;
  /** primary key, unique, exclusion, foreign key or check */
  readonly kind: 'p' | 'u' | 'x' | 'f' | 'c';
  readonly columns: readonly string[];
  readonly definition: string;
  /** Of a foreign key, else null. */
  readonly parent: { readonly table: string; readonly columns: readonly string[] } | null;
}

export interface RuledTable {
  readonly name: string;
  readonly rules: readonly Rule[];
  readonly required: readonly string[];
  readonly generated: readonly string[];
}

const names = (relation: string, keys: string): string =>
  `ARRAY(SELECT a.attname::text FROM unnest(${keys}) WITH ORDINALITY AS key(attnum, place)
         JOIN pg_attribute a ON a.attrelid = ${relation} AND a.attnum = key.attnum ORDER BY key.place)`;
const name = (oid: string): string =>
  `(SELECT n.nspname || '.' || r.relname FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace WHERE r.oid = ${oid})`;

/** Constraints, unique indexes and required columns of every table of ours, partitions left out. */
export async function readRules(session: Session): Promise<RuledTable[]> {
  const tables = await session.query<{ oid: number; name: string; required: string[]; generated: string[] }>(`
    SELECT c.oid, n.nspname || '.' || c.relname AS name,
      ARRAY(SELECT attname::text FROM pg_attribute
            WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attnotnull ORDER BY attnum) AS required,
      ARRAY(SELECT attname::text FROM pg_attribute
            WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated <> '') AS generated
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('public', 'sb') AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND c.relname <> 'schema_migrations'
    ORDER BY 2`);
  const rules = await session.query<Rule>(`
    SELECT ${name('k.conrelid')} AS table, k.conname::text AS name, k.contype AS kind,
      ${names('k.conrelid', 'k.conkey')} AS columns, pg_get_constraintdef(k.oid) AS definition,
      CASE WHEN k.contype = 'f' THEN jsonb_build_object(
        'table', ${name('k.confrelid')}, 'columns', ${names('k.confrelid', 'k.confkey')}) END AS parent
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
    WHERE k.contype IN ('p', 'u', 'x', 'f', 'c') AND k.conparentid = 0
      AND NOT c.relispartition AND c.relnamespace IN ('public'::regnamespace, 'sb'::regnamespace)
    UNION ALL
    SELECT ${name('i.indrelid')}, i.indexrelid::regclass::text, 'u', '{}', pg_get_indexdef(i.indexrelid), NULL
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
    WHERE i.indisunique AND NOT c.relispartition
      AND c.relnamespace IN ('public'::regnamespace, 'sb'::regnamespace)
      AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
    ORDER BY 1, 2`);
  return tables.map(({ name, required, generated }) => ({
    name,
    required,
    generated,
    rules: rules.filter(({ table }) => table === name),
  }));
}
