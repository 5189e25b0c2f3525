import type { Session } from './acting.ts';
import { alice, bob } from './constraints/table.ts';
import { claimsOf, serviceRoles } from './rls/people.ts';
import { asActor } from './rls/try-cells.ts';
import { onInnerTrial, refusalOf } from './trial.ts';
import { inSecondWorld, rowOf } from './world.ts';

/**
 * What policies hold by themselves, when everybody has every right on a table: a grant too many, as a careless
 * migration or a default of the server makes it, must open nothing. The matrix tries what grants and policies hold
 * together, so that either could be wrong behind the other.
 *
 * Statements here are blind: without a WHERE that reads a column Postgres does not ask the policies for SELECT.
 */

const stranger = inSecondWorld(alice);
const roleOf: readonly (readonly [prefix: RegExp, service: string])[] = [
  [/^public\.agent_/, 'sb_agent_runner'],
  [/^public\.connector_/, 'sb_connectors'],
  [/^public\.wide_research_/, 'sb_wide_research'],
  [/^public\.scheduled_/, 'sb_scheduler'],
  [/^public\.collaboration_/, 'sb_collab'],
  [/^public\.(credit_|subscription_|user_)/, 'sb_credits'],
];

/**
 * Tries in the open transaction, which holds the rows of `createRows`, and takes everything back.
 * @param tables names with schema; all of ours when left out
 * @returns what a policy let through
 */
export async function checkPoliciesAlone(session: Session, tables?: readonly string[]): Promise<string[]> {
  const all = await session.query<{ name: string; columns: string[] }>(`
    SELECT n.nspname || '.' || c.relname AS name,
      ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0) AS columns
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('public', 'sb') AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1`);
  const failures: string[] = [];
  for (const { name, columns } of all.filter(({ name }) => tables?.includes(name) ?? true)) {
    failures.push(...(await seenByNobody(session, name)));
    const service = roleOf.find(([prefix]) => prefix.test(name))?.[1];
    if (service === undefined && columns.includes('source'))
      failures.push(...(await onInnerTrial(session, () => keepsSource(session, name))));
    if (service !== undefined && columns.includes('user_id'))
      failures.push(...(await onInnerTrial(session, () => keepsOwner(session, name, service))));
  }
  if (tables?.includes('public.collaboration_participants') ?? true)
    failures.push(...(await keepsRole(session)));
  if (tables?.includes('public.collaboration_sessions') ?? true)
    failures.push(...(await ownedWithoutPart(session)));
  return failures;
}

/** Without a policy for it, a role sees nothing. */
async function seenByNobody(session: Session, table: string): Promise<string[]> {
  let seen = 0;
  await onInnerTrial(session, async () => {
    await session.query(`GRANT USAGE ON SCHEMA sb TO anon; GRANT ALL ON ${table} TO anon`);
    await session.query(asActor({ role: 'anon', claims: { sub: alice } }));
    seen = (await session.query(`SELECT 1 FROM ${table} LIMIT 1`)).length;
  });
  return seen === 0 ? [] : [`${table}: anon sees rows, given the right`];
}

/** Nobody takes, changes or deletes another user's row, and nobody gives theirs away. */
async function keepsOwner(session: Session, table: string, service: string): Promise<string[]> {
  const column = table === 'public.collaboration_participants' ? 'owner_id' : 'user_id';
  const failures: string[] = [];
  for (const role of [`${service}_user`, 'authenticated']) {
    await session.query(`GRANT ALL ON ${table} TO ${role}`);
    for (const statement of [`UPDATE ${table} SET ${column} = '${stranger}'`, `DELETE FROM ${table}`]) {
      const harm = await harmTo(session, table, [
        `${asActor({ role, claims: claimsOf.another })}`,
        statement,
      ]);
      if (harm !== null) failures.push(`${table}: another user as ${role}: ${statement}: ${harm}`);
    }
    // A row that Alice takes part with she may change in two ways; where Bob does, she is the owner alone.
    const whose = column === 'owner_id' ? ` WHERE user_id = '${bob}'` : '';
    const gift = `UPDATE ${table} SET ${column} = '${stranger}'${whose}`;
    const harm = await harmTo(session, table, [asActor({ role, claims: claimsOf.owner }), gift]);
    if (harm !== null) failures.push(`${table}: the owner as ${role}: ${gift}: ${harm}`);
  }
  return failures;
}

/** What statements do to the rows of Alice: null when nothing, or when a policy refuses them. */
async function harmTo(
  session: Session,
  table: string,
  statements: readonly string[],
): Promise<string | null> {
  const rowsOfAlice = `SELECT t.ctid::text, t::text FROM ${table} t WHERE t::text LIKE '%${alice}%' ORDER BY 1`;
  const before = JSON.stringify(await session.query(rowsOfAlice));
  let after = before;
  const refusal = await refusalOf(session, async () => {
    for (const statement of statements) await session.query(statement);
    await session.query('RESET ROLE');
    after = JSON.stringify(await session.query(rowsOfAlice));
  });
  if (refusal === null) return after === before ? null : 'rows of Alice are not as they were';
  return isPolicy(refusal) ? null : refusal.message;
}

const isPolicy = ({ code, message }: { readonly code: string; readonly message: string }): boolean =>
  code === '42501' && message.startsWith('new row violates row-level security policy');

/** No service writes in the name of another. */
async function keepsSource(session: Session, table: string): Promise<string[]> {
  const failures: string[] = [];
  await session.query(`GRANT ALL ON ${table} TO ${serviceRoles.join(', ')}`);
  for (const role of serviceRoles) {
    const own = role.replace(/^sb_/, '').replaceAll('_', '-');
    const other = own === 'collab' ? 'credits' : 'collab';
    const refusal = await refusalOf(session, async () => {
      await session.query(`DELETE FROM ${table}`);
      await session.query(
        `INSERT INTO ${table} (${Object.keys(rowOf(table)).join(', ')}) VALUES (${literals(table, own)})`,
      );
      await session.query(asActor({ role, claims: null }));
      await session.query(`UPDATE ${table} SET source = '${other}'`);
    });
    if (refusal === null || !isPolicy(refusal))
      failures.push(`${table}: ${role} gives a row to ${other}: ${refusal?.message ?? 'done'}`);
  }
  return failures;
}

const literals = (table: string, source: string): string =>
  Object.entries({ ...rowOf(table), source })
    .map(([, value]) => `'${String(value)}'`)
    .join(', ');

/** One who takes part does not choose their role. */
async function keepsRole(session: Session): Promise<string[]> {
  const refusal = await refusalOf(session, async () => {
    await session.query(asActor({ role: 'sb_collab_user', claims: { sub: bob } }));
    await session.query(`UPDATE collaboration_participants SET role = 'editor' WHERE user_id = '${bob}'`);
  });
  return refusal !== null && isPolicy(refusal)
    ? []
    : [`a participant makes themselves an editor: ${refusal?.message ?? 'done'}`];
}

/** The owner of a session sees it whether or not they are among its participants. */
async function ownedWithoutPart(session: Session): Promise<string[]> {
  let seen = 0;
  await onInnerTrial(session, async () => {
    await session.query(`DELETE FROM collaboration_participants WHERE user_id = '${alice}'`);
    await session.query(asActor({ role: 'sb_collab_user', claims: { sub: alice } }));
    seen = (await session.query('SELECT 1 FROM collaboration_sessions')).length;
  });
  return seen > 0 ? [] : ['the owner does not see a session without a part in it'];
}
