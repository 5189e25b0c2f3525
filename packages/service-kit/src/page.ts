import type { Page } from '@swissbrain/shared-schema/http/page';
import { encodeCursor } from './cursor.ts';

/** A row of a list, with its place in `(created_at, id)` order as Postgres prints it. */
export interface PositionedRow {
  readonly id: string;
  /** `created_at::text` */
  readonly position: string;
}

/** Cuts a page out of rows read with `LIMIT limit + 1`: the row too many tells that there is a next page. */
export function toPage<Row extends PositionedRow>(rows: readonly Row[], limit: number): Page<Row> {
  const items = rows.slice(0, limit);
  const last = rows.length > limit ? items.at(-1) : undefined;
  return { items, next_cursor: last ? encodeCursor({ createdAt: last.position, id: last.id }) : null };
}
