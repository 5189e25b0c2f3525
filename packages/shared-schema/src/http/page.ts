import { z } from 'zod';

/** A moment in an answer, ISO 8601 in UTC. */
export const timestamp = z.iso.datetime();

/** The answer of every list: one page, and the cursor of the next or null after the last. */
export const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.object({ items: z.array(item), next_cursor: z.string().nullable() });

/** A page as a handler returns it. */
export interface Page<Item> {
  readonly items: Item[];
  readonly next_cursor: string | null;
}
