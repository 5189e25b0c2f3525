import type { Database, Principal } from '@swissbrain/service-kit/database';
import { errors } from '../errors.ts';
import { findTemplate, type TemplateRow } from '../store/templates.ts';

/**
 * A template that is shipped or the caller's own.
 * @throws AppError 404 `template_not_found`
 */
export async function getTemplate(
  database: Database,
  principal: Principal,
  id: string,
): Promise<TemplateRow> {
  const row = await database.withUser(principal, (tx) => findTemplate(tx, id));
  if (!row) throw errors.template_not_found(`there is no template ${id}`);
  return row;
}
