import { decodeCursor, type PageQuery } from '@swissbrain/service-kit/cursor';
import type { Database, Principal } from '@swissbrain/service-kit/database';
import { toPage } from '@swissbrain/service-kit/page';
import type { Page } from '@swissbrain/shared-schema/http/page';
import { selectTemplates, type TemplateRow } from '../store/templates.ts';

/**
 * One page of the templates that come with SwissBrain and of the caller's own.
 * @throws AppError 400 `invalid_cursor`
 */
export async function listTemplates(
  database: Database,
  principal: Principal,
  { cursor, limit }: PageQuery,
): Promise<Page<TemplateRow>> {
  const after = cursor === undefined ? undefined : decodeCursor(cursor);
  const rows = await database.withUser(principal, (tx) => selectTemplates(tx, { after, limit: limit + 1 }));
  return toPage(rows, limit);
}
