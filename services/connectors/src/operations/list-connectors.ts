import { decodeCursor, type PageQuery } from '@swissbrain/service-kit/cursor';
import type { Database, Principal } from '@swissbrain/service-kit/database';
import { toPage } from '@swissbrain/service-kit/page';
import type { Page } from '@swissbrain/shared-schema/http/page';
import { type DefinitionRow, selectDefinitions } from '../store/definitions.ts';

/**
 * One page of the connectors that can be used here.
 * @throws AppError 400 `invalid_cursor`
 */
export async function listConnectors(
  database: Database,
  principal: Principal,
  { cursor, limit }: PageQuery,
): Promise<Page<DefinitionRow>> {
  const after = cursor === undefined ? undefined : decodeCursor(cursor);
  const rows = await database.withUser(principal, (tx) => selectDefinitions(tx, { after, limit: limit + 1 }));
  return toPage(rows, limit);
}
