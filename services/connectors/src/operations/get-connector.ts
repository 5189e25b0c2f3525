import type { Database, Principal } from '@swissbrain/service-kit/database';
import { errors } from '../errors.ts';
import { type DefinitionRow, findDefinition } from '../store/definitions.ts';

/**
 * The connector of that name.
 * @throws AppError 404 `connector_not_found`
 */
export async function getConnector(
  database: Database,
  principal: Principal,
  slug: string,
): Promise<DefinitionRow> {
  const row = await database.withUser(principal, (tx) => findDefinition(tx, slug));
  if (!row) throw errors.connector_not_found(`there is no connector ${slug}`);
  return row;
}
