import type { Session } from '../acting.ts';
import { onInnerTrial, type Refusal, refusalOf } from '../trial.ts';
import { constrainedTables } from './all.ts';
import { type Rule, type RuledTable, readRules } from './catalog.ts';
import { type ConstrainedTable, type ForeignKey, implied, type Row, users } from './table.ts';

const sqlStates = {
  unique: ['23505'],
  exclusion: ['23P01'],
  check: ['23514'],
  required: ['23502'],
  foreignKey: ['23503'],
  // ON DELETE RESTRICT has a code of its own since Postgres 18.
  parentKept: ['23503', '23001'],
} as const;

/** Constraints and required columns of the catalog for which nothing is tried, and the other way round. */
export async function findUntried(session: Session): Promise<string[]> {
  const untried: string[] = [];
  const rules = await readRules(session);
  for (const table of rules) {
    const tried = constrainedTables[table.name];
    if (tried === undefined) {
      untried.push(`${table.name}: no row`);
      continue;
    }
    const names = [...Object.keys(tried.violations), ...Object.keys(tried.foreignKeys ?? {})];
    const columns = words(tried.required);
    const required = table.required.filter((column) => !table.generated.includes(column));
    const found = table.rules.map(({ name }) => name);
    untried.push(
      ...without(found, names).map((name) => `${table.name}: nothing violates ${name}`),
      ...without(names, found).map((name) => `${table.name}: there is no ${name}`),
      ...without(required, columns).map((column) => `${table.name}.${column}: nothing leaves it out`),
      ...without(columns, required).map((column) => `${table.name}.${column} may be null`),
      ...impliedFailures(table, tried),
    );
  }
  const tables = rules.map(({ name }) => name);
  return [
    ...untried,
    ...without(Object.keys(constrainedTables), tables).map((name) => `there is no table ${name}`),
  ];
}

function impliedFailures(table: RuledTable, tried: ConstrainedTable): string[] {
  const key = table.rules.find(({ kind }) => kind === 'p')?.columns ?? [];
  return table.rules
    .filter(({ name, columns }) => tried.violations[name] === implied && without(key, columns).length > 0)
    .map(({ name }) => `${table.name}: ${name} is not implied by the primary key`);
}

/**
 * Tries every violation in the transaction that is open, and takes each back.
 * @param tables names with schema; all when left out
 * @returns what should have been refused and was not, or with another error; empty when all is well
 */
export async function checkConstraints(
  session: Session,
  tables: readonly string[] = Object.keys(constrainedTables),
): Promise<string[]> {
  const rules = (await readRules(session)).flatMap((table) => table.rules);
  const failures: string[] = [];
  for (const name of tables) {
    const table = constrainedTables[name];
    if (table === undefined) throw new Error(`nothing is tried on ${name}`);
    failures.push(...(await onInnerTrial(session, () => checkTable({ session, rules, name, table }))));
  }
  return failures;
}

interface Trial {
  readonly session: Session;
  /** Of all tables. */
  readonly rules: readonly Rule[];
  readonly name: string;
  readonly table: ConstrainedTable;
}

async function checkTable(trial: Trial): Promise<string[]> {
  const { session, name, table } = trial;
  for (const user of users) await insert(session, 'auth.users', { id: user });
  const failures: string[] = [];
  for (const [key, foreignKey] of Object.entries(table.foreignKeys ?? {})) {
    failures.push(...(await onInnerTrial(session, () => checkDeletion(trial, key, foreignKey))));
  }
  await insertParents(trial, name, table.row);
  await insert(session, name, table.row);
  const another = { ...table.row, ...table.second };
  const refusal = await refusalOf(session, () => insert(session, name, another));
  if (refusal !== null) return [...failures, `${name} refuses a second row: ${refusal.message}`];

  for (const column of words(table.required)) {
    const leftOut = await refusalOf(session, () => insert(session, name, { ...another, [column]: null }));
    failures.push(...unlike(`${name}.${column} left out`, leftOut, sqlStates.required, 'column', column));
  }
  for (const [key, violations] of Object.entries(table.violations)) {
    if (violations === implied) continue;
    for (const change of violations)
      failures.push(...(await checkViolation(trial, key, { ...another, ...change })));
  }
  for (const [key, { broken, given }] of Object.entries(table.foreignKeys ?? {})) {
    for (const change of broken) {
      failures.push(...(await checkViolation(trial, key, { ...another, ...change }, given)));
    }
  }
  return failures;
}

async function checkViolation(
  { session, name }: Trial,
  key: string,
  row: Row,
  given: ForeignKey['given'] = [],
): Promise<string[]> {
  const refusal = await refusalOf(session, async () => {
    for (const [table, other] of given) await insert(session, table, other);
    await insert(session, name, row);
  });
  const kind = key.endsWith('_fkey')
    ? sqlStates.foreignKey
    : /(_key|_pkey|_idx)$/.test(key)
      ? sqlStates.unique
      : key.endsWith('_no_overlap')
        ? sqlStates.exclusion
        : sqlStates.check;
  return unlike(`${key} violated`, refusal, kind, 'constraint', key);
}

/** Deletes the parent of a row and looks what becomes of the row. */
async function checkDeletion(trial: Trial, key: string, { onDelete, alone }: ForeignKey): Promise<string[]> {
  const { session, rules, name, table } = trial;
  const rule = rules.find((candidate) => candidate.table === name && candidate.name === key);
  if (rule === undefined || rule.parent === null) return [`${name}: there is no foreign key ${key}`];
  const { parent, columns } = rule;
  const ofItself = parent.table === name;
  if (ofItself) await insert(session, name, table.row);
  const row = ofItself ? { ...table.row, ...table.second, ...alone } : { ...table.row, ...alone };
  await insertParents(trial, name, row);
  const before = await insert(session, name, row);
  const keys = parent.columns.map((column, place) => `${column} = $${place + 1}`).join(' AND ');
  const values = columns.map((column) => row[column]);
  const primary = rules.find(({ table: owner, kind }) => owner === name && kind === 'p')?.columns ?? [];

  let after: Record<string, unknown>[] = [];
  const refusal = await refusalOf(session, async () => {
    const deleted = await session.query(`DELETE FROM ${parent.table} WHERE ${keys} RETURNING 1`, values);
    if (deleted.length === 0) throw new Error(`${key}: the parent is not there`);
    const own = primary.map((column, place) => `${column} = $${place + 1}`).join(' AND ');
    after = await session.query(
      `SELECT * FROM ${name} WHERE ${own}`,
      primary.map((column) => row[column]),
    );
  });
  if (onDelete === 'refuses')
    return unlike(`parent of ${key} deleted`, refusal, sqlStates.parentKept, 'constraint', key);
  if (refusal !== null) return [`parent of ${key} cannot be deleted: ${refusal.message}`];
  if (onDelete === 'cascades') return after.length === 0 ? [] : [`${key}: the row outlives its parent`];
  const expected = { ...before, [onDelete.setsNull]: null };
  return JSON.stringify(after) === JSON.stringify([expected])
    ? []
    : [`${key}: the row is not as it was, with ${onDelete.setsNull} null`];
}

/** Inserts the rows that a row refers to, and those that they refer to. */
async function insertParents(trial: Pick<Trial, 'session' | 'rules'>, name: string, row: Row): Promise<void> {
  for (const { table, columns, parent } of trial.rules) {
    if (table !== name || parent === null || parent.table === name) continue;
    const theirs = constrainedTables[parent.table]?.row;
    const isTheirs = columns.every((column, place) => row[column] === theirs?.[parent.columns[place] ?? '']);
    if (theirs === undefined || !isTheirs) continue;
    const there = await trial.session.query(
      `SELECT 1 FROM ${parent.table} WHERE ${parent.columns.map((column, place) => `${column} = $${place + 1}`).join(' AND ')}`,
      columns.map((column) => row[column]),
    );
    if (there.length > 0) continue;
    await insertParents(trial, parent.table, theirs);
    await insert(trial.session, parent.table, theirs);
  }
}

/** Inserts a row and gives it back as it is stored. */
export async function insert(session: Session, table: string, row: Row): Promise<Record<string, unknown>> {
  const columns = Object.keys(row);
  const [stored] = await session.query<Record<string, unknown>>(
    `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map((_, place) => `$${place + 1}`).join(', ')}) RETURNING *`,
    Object.values(row),
  );
  return stored ?? {};
}

function unlike(
  what: string,
  refusal: Refusal | null,
  codes: readonly string[],
  field: 'column' | 'constraint',
  name: string,
): string[] {
  if (refusal === null) return [`${what}: was not refused`];
  if (codes.includes(refusal.code) && bareName(refusal, field) === name) return [];
  return [`${what}: ${refusal.code} ${bareName(refusal, field) ?? ''} ${refusal.message}`];
}

/** The name without the month of the partition that noticed. */
function bareName(refusal: Refusal, field: 'column' | 'constraint'): string | undefined {
  if (refusal.schema !== 'sb_partitions') return refusal[field];
  return refusal[field]?.replace(/_(\d{4}_\d{2}|default)_/, '_');
}

const words = (text: string): string[] => text.split(/\s+/);
const without = (from: readonly string[], these: readonly string[]): string[] =>
  from.filter((name) => !these.includes(name));
