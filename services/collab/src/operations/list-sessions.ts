import { decodeCursor, type PageQuery } from '@swissbrain/service-kit/cursor';
import type { Database, Principal } from '@swissbrain/service-kit/database';
import { toPage } from '@swissbrain/service-kit/page';
import type { Page } from '@swissbrain/shared-schema/http/page';
import { type SessionRow, selectSessions } from '../store/sessions.ts';

/**
 * One page of the sessions that the caller owns or takes part in.
 * @throws AppError 400 `invalid_cursor`
 */
export async function listSessions(
  database: Database,
  principal: Principal,
  { cursor, limit }: PageQuery,
): Promise<Page<SessionRow>> {
  const after = cursor === undefined ? undefined : decodeCursor(cursor);
  const rows = await database.withUser(principal, (tx) => selectSessions(tx, { after, limit: limit + 1 }));
  return toPage(rows, limit);
}
