import type { Session } from '../acting.ts';
import { type Rule, type RuledTable, readRules } from '../constraints/catalog.ts';
import { conjuncts } from './expressions.ts';
import type { Mutant } from './mutant.ts';

/** Every key, check and required column gone, and every foreign key and check looser than it is. */
export async function constraintMutants(session: Session): Promise<Mutant[]> {
  const tables = await readRules(session);
  const partitions = await readPartitions(session);
  return tables.flatMap((table) => {
    const parts = partitions.get(table.name) ?? [];
    return [
      ...table.rules.map((rule) => dropped(rule, parts)),
      ...table.rules.flatMap((rule) => (rule.kind === 'f' ? looserForeignKeys(rule, tables) : [])),
      ...table.rules.flatMap((rule) => (rule.kind === 'c' ? looserChecks(rule, parts) : [])),
      ...optionalColumns(table, parts),
    ];
  });
}

/** A partition keeps its own copy of what it was attached with. */
async function readPartitions(session: Session): Promise<ReadonlyMap<string, readonly string[]>> {
  const rows = await session.query<{ parent: string; partitions: string[] }>(`
    SELECT n.nspname || '.' || p.relname AS parent, array_agg('sb_partitions.' || quote_ident(c.relname)) AS partitions
    FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent JOIN pg_class c ON c.oid = i.inhrelid
    JOIN pg_namespace n ON n.oid = p.relnamespace
    WHERE p.relkind = 'p' GROUP BY 1`);
  return new Map(rows.map(({ parent, partitions }) => [parent, partitions]));
}

function mutant(object: string, name: string, ...sql: readonly string[]): Mutant {
  return { kind: 'constraints', object, name, sql: sql.join('; ') };
}

function dropped(rule: Rule, partitions: readonly string[]): Mutant {
  const what = `${rule.table}: ${rule.name} dropped`;
  // A key goes together with the foreign keys that point to it.
  return isIndex(rule)
    ? mutant(rule.table, what, `DROP INDEX public.${rule.name}`)
    : mutant(rule.table, what, ...dropStatements(rule, partitions, 'CASCADE'));
}

const isIndex = ({ definition }: Rule): boolean => definition.startsWith('CREATE ');

function dropStatements(rule: Rule, partitions: readonly string[], behaviour = ''): string[] {
  const copies = rule.kind === 'c' ? partitions : [];
  return [
    `ALTER TABLE ${rule.table} DROP CONSTRAINT ${rule.name} ${behaviour}`,
    ...copies.map((partition) => `ALTER TABLE ${partition} DROP CONSTRAINT IF EXISTS ${rule.name}`),
  ];
}

const actions = / ON DELETE (CASCADE|RESTRICT|SET NULL( \([^)]*\))?)/;

function looserForeignKeys(rule: Rule, tables: readonly RuledTable[]): Mutant[] {
  const action = actions.exec(rule.definition)?.[0] ?? '';
  const bare = rule.definition.replace(actions, '');
  const others = ['', ' ON DELETE CASCADE', ' ON DELETE SET NULL'].filter(
    (other) => !action.startsWith(other || ' none'),
  );
  // Without an action and with RESTRICT the parent stays: to whoever deletes it, they are the same.
  const different = others.filter((other) => other !== '' || !['', ' ON DELETE RESTRICT'].includes(action));
  const changed = different.map((other) =>
    mutant(
      rule.table,
      `${rule.table}: ${rule.name}${other || ' without ON DELETE'}`,
      ...dropStatements(rule, []),
      `ALTER TABLE ${rule.table} ADD CONSTRAINT ${rule.name} ${bare}${other}`,
    ),
  );
  return [...changed, ...withoutUser(rule, tables, action)];
}

/** The key on the parent's id alone, which ties rows of two users together. */
function withoutUser(rule: Rule, tables: readonly RuledTable[], action: string): Mutant[] {
  const parent = tables.find(({ name }) => name === rule.parent?.table);
  const column = rule.columns[0];
  const key = parent?.rules.find(({ kind }) => kind === 'p')?.columns;
  if (rule.columns.length === 1 || key?.length !== 1 || key[0] !== rule.parent?.columns[0]) return [];
  const reference = `FOREIGN KEY (${column}) REFERENCES ${rule.parent?.table} (${key[0]})${action}`;
  const statement = `ALTER TABLE ${rule.table} ADD CONSTRAINT ${rule.name} ${reference}`;
  return [
    mutant(
      rule.table,
      `${rule.table}: ${rule.name} on ${column} alone`,
      ...dropStatements(rule, []),
      statement,
    ),
  ];
}

function looserChecks(rule: Rule, partitions: readonly string[]): Mutant[] {
  const expression = /^CHECK (.*)$/s.exec(rule.definition)?.[1] ?? '';
  const parts = conjuncts(expression);
  if (parts.length === 1) return [];
  return parts.map((left, place) => {
    const kept = parts.filter((_, other) => other !== place).join(' AND ');
    return mutant(
      rule.table,
      `${rule.table}: ${rule.name} without ${left}`,
      ...dropStatements(rule, partitions),
      `ALTER TABLE ${rule.table} ADD CONSTRAINT ${rule.name} CHECK (${kept})`,
    );
  });
}

function optionalColumns(table: RuledTable, partitions: readonly string[]): Mutant[] {
  const key = table.rules.find(({ kind }) => kind === 'p')?.columns ?? [];
  const free = table.required.filter((column) => !key.includes(column) && !table.generated.includes(column));
  return free.map((column) =>
    mutant(
      table.name,
      `${table.name}.${column} may be null`,
      ...[table.name, ...partitions].map(
        (name) => `ALTER TABLE ${name} ALTER COLUMN ${column} DROP NOT NULL`,
      ),
    ),
  );
}
