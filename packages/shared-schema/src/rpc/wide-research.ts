import { z } from 'zod';
import { uuid } from '../ids.ts';
import { defineRpc } from './definition.ts';

const count = z.number().int().nonnegative();
const properties = z.record(z.string(), z.json());

/**
 * Starts a research in the name of a run: the same goal for each item, worked on by runs below it. The idempotency key makes a
 * repeat find the first.
 */
export const startResearch = defineRpc({
  service: 'wide-research',
  method: 'start',
  request: z.object({
    user_id: uuid,
    run_id: uuid,
    step_id: uuid,
    title: z.string().min(1).max(200),
    /** What is asked about each item; `{{name}}` stands for a property of it. */
    item_prompt: z.string().min(1).max(20_000),
    items: z.array(properties).min(1).max(500),
    output_schema: properties,
  }),
  response: z.object({ research_id: uuid, status: z.string(), total_items: count }),
  timeoutMs: 10_000,
});

/** How far a research of this user is, with the items that have ended, in their order from `after_index` on. */
export const readResearch = defineRpc({
  service: 'wide-research',
  method: 'read',
  request: z.object({
    user_id: uuid,
    research_id: uuid,
    after_index: z.number().int().min(-1),
    limit: z.number().int().min(1).max(100),
  }),
  response: z.object({
    status: z.string(),
    total_items: count.nullable(),
    completed: count,
    failed: count,
    items: z.array(
      z.object({
        item_index: count,
        status: z.string(),
        output: z.json(),
        error: z.object({ code: z.string(), message: z.string() }).nullable(),
      }),
    ),
  }),
  timeoutMs: 10_000,
});
