import type { CursorPosition } from '@swissbrain/service-kit/cursor';
import type { Tx } from '@swissbrain/service-kit/database';
import type { ConnectorDefinitionsTable } from '@swissbrain/shared-schema/db/connectors';
import { type Selectable, sql } from 'kysely';

const columns = [
  'id',
  'slug',
  'name',
  'description',
  'category',
  'auth_methods',
  'default_scopes',
  'optional_scopes',
  'api_hosts',
  'documentation_url',
] as const;
const selected = sql`${sql.join(columns.map((column) => sql.ref(column)))}, created_at::text AS position`;

/** A connector's definition as a user may read it. */
export interface DefinitionRow extends Pick<Selectable<ConnectorDefinitionsTable>, (typeof columns)[number]> {
  /** `created_at` to the microsecond, for the cursor. */
  readonly position: string;
}

/** Up to `limit` enabled definitions after a position, oldest first. */
export async function selectDefinitions(
  tx: Tx,
  { after, limit }: { after: CursorPosition | undefined; limit: number },
): Promise<DefinitionRow[]> {
  const onward = after
    ? sql`AND (created_at, id) > (${after.createdAt}::timestamptz, ${after.id}::uuid)`
    : sql``;
  const { rows } = await sql<DefinitionRow>`
    SELECT ${selected} FROM public.connector_definitions
    WHERE enabled ${onward}
    ORDER BY created_at, id
    LIMIT ${limit}`.execute(tx);
  return rows;
}

/** The enabled definition of that name, or undefined. */
export async function findDefinition(tx: Tx, slug: string): Promise<DefinitionRow | undefined> {
  const { rows } = await sql<DefinitionRow>`
    SELECT ${selected} FROM public.connector_definitions WHERE enabled AND slug = ${slug}`.execute(tx);
  return rows[0];
}
