import { escapeLiteral } from 'pg';
import type { Session } from '../acting.ts';
import { now, type Row } from '../constraints/table.ts';
import { type Command, commands, nothing, type Section } from './matrix.ts';
import { type Actor, actorsIn, everybodyElse } from './people.ts';
import { type Target, targetOf } from './targets.ts';

/**
 * Tries every cell of a section in the open transaction, as if `service` were its service.
 * @returns what differs from the matrix, one line each
 */
export async function trySection(session: Session, section: Section, service: string): Promise<string[]> {
  const differences: string[] = [];
  await session.query(attempts);
  for (const { row: line, cells } of section.lines) {
    const target = await ownedBy(session, targetOf(line), section.service === null ? service : null);
    const statements = await statementsOn(session, target, service);
    const expected = [
      ...section.columns.flatMap((column) =>
        actorsIn(column, service).map((actor) => ({ column, actor, signs: cells[column] ?? nothing })),
      ),
      ...everybodyElse(section.columns, service).map((actor) => ({
        column: 'everybody else',
        actor,
        signs: nothing,
      })),
    ];
    for (const { column, actor, signs } of expected) {
      const found = await trySigns(session, actor, statements);
      if (found !== signs) {
        const claims = actor.claims === null ? 'without claims' : `with claims of ${column}`;
        differences.push(`${line}, ${column} (${actor.role} ${claims}): ${signs} expected, ${found} found`);
      }
    }
  }
  return differences;
}

/** Gives a row of the shared tables to one of the services, in the place of one that it may have there. */
async function ownedBy(session: Session, target: Target, service: string | null): Promise<Target> {
  const source = service?.replace(/^sb_/, '').replaceAll('_', '-');
  if (source === undefined || source === target.row['source']) return target;
  const row = { ...target.row, source };
  await session.query(`DELETE FROM ${target.table} WHERE ${fixed(row)}`);
  await session.query(`UPDATE ${target.table} SET source = $1 WHERE ${condition(target.row)}`, [source]);
  return { ...target, row };
}

type Statements = Readonly<Record<Command, string>>;

/**
 * The four statements on a row, as whoever may make them would: INSERT and UPDATE name only columns that the user's
 * role may write, or the service where the user may not.
 */
async function statementsOn(session: Session, target: Target, service: string): Promise<Statements> {
  const { table } = target;
  const writable = async (privilege: string): Promise<string[]> => {
    const [columns] = await session.query<{ of_user: string[]; of_service: string[]; every: string[] }>(
      `SELECT coalesce(array_agg(attname::text ORDER BY attnum) FILTER (WHERE has_column_privilege($2::name, $1::regclass, attnum, $4)), '{}') AS of_user,
              coalesce(array_agg(attname::text ORDER BY attnum) FILTER (WHERE has_column_privilege($3::name, $1::regclass, attnum, $4)), '{}') AS of_service,
              array_agg(attname::text ORDER BY attnum) AS every
       FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''`,
      [table, `${service}_user`, service, privilege],
    );
    return [columns?.of_user, columns?.of_service, columns?.every].find((names) => names?.length) ?? [];
  };
  const insertable = await writable('INSERT');
  const [touched] = await writable('UPDATE');
  const where = condition(target.row);
  const there = await session.query(`SELECT FROM ${table} WHERE ${where}`);
  if (there.length !== 1) throw new Error(`${there.length} rows of ${table} where ${where}`);
  return {
    select: `SELECT 1 FROM ${table} WHERE ${where}`,
    insert: insertion(table, { ...target.row, ...target.second }, insertable),
    update: `UPDATE ${table} SET ${touched} = ${touched} WHERE ${where}`,
    delete: `DELETE FROM ${table} WHERE ${where}`,
  };
}

/** An INSERT of a row, or of so much of it as the columns hold. */
export function insertion(table: string, row: Row, columns: readonly string[]): string {
  const given = Object.entries(row).filter(([column]) => columns.includes(column));
  return `INSERT INTO ${table} (${given.map(([column]) => column).join(', ')})
          VALUES (${given.map(([, value]) => literal(value)).join(', ')})`;
}

const literal = (value: Row[string]): string =>
  value === null ? 'NULL' : escapeLiteral(typeof value === 'string' ? value : `\\x${value.toString('hex')}`);

/** Finds a row: by its id, or else by everything about it that is fixed. */
const condition = (row: Row): string => fixed('id' in row ? { id: row['id'] ?? null } : row);

const fixed = (row: Row): string =>
  Object.entries(row)
    .filter(([, value]) => value !== now && value !== null)
    .map(([column, value]) => `${column} = ${literal(value)}`)
    .join(' AND ');

/**
 * Tries statements in turn, each taken back. In the database, since a cell would else be six round trips, and there are
 * some thousands.
 */
const attempts = `
  CREATE OR REPLACE FUNCTION pg_temp.attempts(p_actor text, p_statements text[])
  RETURNS TABLE (code text, message text, touched bigint) LANGUAGE plpgsql AS $$
  DECLARE
    statement text;
  BEGIN
    FOREACH statement IN ARRAY p_statements LOOP
      code := NULL;
      BEGIN
        EXECUTE p_actor;
        EXECUTE statement;
        GET DIAGNOSTICS touched = ROW_COUNT;
        RAISE EXCEPTION 'take it back' USING ERRCODE = 'TRIAL';
      EXCEPTION
        WHEN SQLSTATE 'TRIAL' THEN NULL;
        WHEN OTHERS THEN GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
      END;
      RETURN NEXT;
    END LOOP;
  END
  $$`;

async function trySigns(session: Session, actor: Actor, statements: Statements): Promise<string> {
  const results = await session.query<{ code: string | null; message: string; touched: string }>(
    'SELECT * FROM pg_temp.attempts($1, $2)',
    [asActor(actor), commands.map((command) => statements[command])],
  );
  return results
    .map(({ code, message, touched }) => {
      if (code !== null) return signOf({ code, message });
      return touched === '0' ? '.' : '+';
    })
    .join('');
}

/** Takes a role and its claims until the end of the transaction or savepoint. */
export function asActor({ role, claims }: Actor): string {
  return `SET LOCAL ROLE ${role}; SET LOCAL request.jwt.claims TO ${escapeLiteral(claims === null ? '' : JSON.stringify(claims))}`;
}

/** The sign of an error; the error itself where there is none for it. */
export function signOf({ code, message }: { readonly code: string; readonly message: string }): string {
  if (code === '42501') {
    if (/^permission denied for (table|schema) /.test(message)) return '-';
    if (message.startsWith('new row violates row-level security policy')) return 'p';
    if (message === 'no user in this transaction') return '!';
  }
  return `[${code} ${message}]`;
}
