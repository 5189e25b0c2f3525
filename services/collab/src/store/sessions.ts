import type { CursorPosition } from '@swissbrain/service-kit/cursor';
import type { Tx } from '@swissbrain/service-kit/database';
import type { CollaborationSessionsTable } from '@swissbrain/shared-schema/db/collab';
import type { ParticipantRole } from '@swissbrain/shared-schema/events/collab';
import { type Selectable, sql } from 'kysely';

// Never the snapshot: a list would carry whole documents.
const columns = [
  'id',
  'user_id',
  'title',
  'status',
  'run_id',
  'source_artifact_id',
  'last_seq',
  'document_bytes',
  'closed_at',
  'created_at',
  'updated_at',
] as const;
const selected = sql`${sql.join(columns.map((column) => sql.ref(`s.${column}`)))},
  coalesce(mine.role, 'owner') AS role, s.created_at::text AS position`;
const source = sql`public.collaboration_sessions AS s
  LEFT JOIN public.collaboration_participants AS mine
    ON mine.session_id = s.id AND mine.user_id = (SELECT sb.current_user_id()) AND mine.revoked_at IS NULL`;

/** A session as its row holds it, with the role of the transaction's user in it. */
export interface SessionRow extends Pick<Selectable<CollaborationSessionsTable>, (typeof columns)[number]> {
  readonly role: ParticipantRole;
  /** `created_at` to the microsecond, for the cursor. */
  readonly position: string;
}

/** Up to `limit` sessions that the user owns or takes part in, after a position, newest first. */
export async function selectSessions(
  tx: Tx,
  { after, limit }: { after: CursorPosition | undefined; limit: number },
): Promise<SessionRow[]> {
  const onward = after
    ? sql`WHERE (s.created_at, s.id) < (${after.createdAt}::timestamptz, ${after.id}::uuid)`
    : sql``;
  const { rows } = await sql<SessionRow>`
    SELECT ${selected} FROM ${source}
    ${onward}
    ORDER BY s.created_at DESC, s.id DESC
    LIMIT ${limit}`.execute(tx);
  return rows;
}

/** The session, or undefined when there is none that this transaction may see. */
export async function findSession(tx: Tx, id: string): Promise<SessionRow | undefined> {
  const { rows } = await sql<SessionRow>`SELECT ${selected} FROM ${source} WHERE s.id = ${id}`.execute(tx);
  return rows[0];
}
