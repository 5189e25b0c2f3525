import type { Session } from '../acting.ts';
import { constrainedTables } from '../constraints/all.ts';
import { insert } from '../constraints/check.ts';
import {
  alice,
  bob,
  carol,
  fourth,
  now,
  type Row,
  session as sessionId,
  third,
} from '../constraints/table.ts';
import { createWorlds, rowOf } from '../world.ts';
import { tenant } from './people.ts';

/** The row that a line of the matrix is about, and the statements on it. */
export interface Target {
  readonly table: string;
  readonly row: Row;
  /** What makes it another row, for INSERT. */
  readonly second: Row;
}

const participant = 'public.collaboration_participants';
const place = (id: string, changes: Row): Target => ({
  table: participant,
  row: { ...rowOf(participant), id, invite_id: null, ...changes },
  second: { id: fourth, session_id: third },
});
const variant = (table: string, row: Row, second: Row): Target => ({
  table,
  row: { ...rowOf(table), ...row },
  second,
});

/** Lines about another row than the one that stands for its table in the worlds. */
const variants: Readonly<Record<string, Target>> = {
  // Not the one that credentials refer to: the service may delete it.
  connector_definitions: variant(
    'public.connector_definitions',
    { id: third, slug: 'third' },
    { id: fourth, slug: 'fourth' },
  ),
  'connector_definitions (disabled)': variant(
    'public.connector_definitions',
    { id: sessionId, slug: 'disabled', enabled: 'false' },
    { id: fourth, slug: 'fourth' },
  ),
  'wide_research_templates (shipped)': variant(
    'public.wide_research_templates',
    { id: third, user_id: null, slug: 'third' },
    { id: fourth, slug: 'fourth' },
  ),
  'collaboration_participants (the owner)': place(third, { user_id: alice, role: 'owner' }),
  'collaboration_participants (the participant)': {
    ...place(third, { user_id: bob }),
    row: rowOf(participant),
  },
  'collaboration_participants (the removed)': place(sessionId, { user_id: carol, revoked_at: now }),
};

/** Two worlds of rows (see `createWorlds`), the rows of the variants, and Alice's tenant. */
export async function createRows(session: Session): Promise<void> {
  await createWorlds(session);
  const another = { ...rowOf('public.collaboration_sessions'), id: third, idempotency_key: null };
  await insert(session, 'public.collaboration_sessions', another);
  for (const { table, row } of Object.values(variants)) {
    if (row !== rowOf(table)) await insert(session, table, row);
  }
  for (const table of ['agent_runs', 'agent_memory']) {
    await session.query(`UPDATE ${table} SET tenant_id = $1 WHERE user_id = $2`, [tenant, alice]);
  }
}

/** @throws Error for a line about a table without rows */
export function targetOf(line: string): Target {
  const table = `public.${line}`;
  return variants[line] ?? { table, row: rowOf(table), second: constrainedTables[table]?.second ?? {} };
}
