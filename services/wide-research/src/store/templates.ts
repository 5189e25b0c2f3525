import type { CursorPosition } from '@swissbrain/service-kit/cursor';
import type { Tx } from '@swissbrain/service-kit/database';
import type { WideResearchTemplatesTable } from '@swissbrain/shared-schema/db/wide-research';
import { type Selectable, sql } from 'kysely';

const columns = [
  'id',
  'user_id',
  'slug',
  'name',
  'description',
  'goal',
  'item_prompt',
  'input_schema',
  'output_schema',
  'output_format',
  'version',
  'created_at',
  'updated_at',
] as const;
const selected = sql`${sql.join(columns.map((column) => sql.ref(column)))}, created_at::text AS position`;

/** A research template as its row holds it. */
export interface TemplateRow extends Pick<Selectable<WideResearchTemplatesTable>, (typeof columns)[number]> {
  /** `created_at` to the microsecond, for the cursor. */
  readonly position: string;
}

/** Up to `limit` shipped and own templates after a position, oldest first. */
export async function selectTemplates(
  tx: Tx,
  { after, limit }: { after: CursorPosition | undefined; limit: number },
): Promise<TemplateRow[]> {
  const onward = after
    ? sql`WHERE (created_at, id) > (${after.createdAt}::timestamptz, ${after.id}::uuid)`
    : sql``;
  const { rows } = await sql<TemplateRow>`
    SELECT ${selected} FROM public.wide_research_templates
    ${onward}
    ORDER BY created_at, id
    LIMIT ${limit}`.execute(tx);
  return rows;
}

/** The template, or undefined when there is none that this transaction may see. */
export async function findTemplate(tx: Tx, id: string): Promise<TemplateRow | undefined> {
  const { rows } = await sql<TemplateRow>`
    SELECT ${selected} FROM public.wide_research_templates WHERE id = ${id}`.execute(tx);
  return rows[0];
}
