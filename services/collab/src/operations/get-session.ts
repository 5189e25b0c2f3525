import type { Database, Principal } from '@swissbrain/service-kit/database';
import { errors } from '../errors.ts';
import { findSession, type SessionRow } from '../store/sessions.ts';

/**
 * A session that the caller owns or takes part in.
 * @throws AppError 404 `session_not_found`
 */
export async function getSession(database: Database, principal: Principal, id: string): Promise<SessionRow> {
  const row = await database.withUser(principal, (tx) => findSession(tx, id));
  if (!row) throw errors.session_not_found(`there is no session ${id}`);
  return row;
}
