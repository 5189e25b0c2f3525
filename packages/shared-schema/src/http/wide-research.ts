import { z } from 'zod';
import { uuid } from '../ids.ts';
import { pageOf, timestamp } from './page.ts';

const jsonSchema = z.record(z.string(), z.unknown());

/** Reusable research: what is asked about each item and the shape of the answer. */
export const researchTemplateView = z.object({
  id: uuid,
  slug: z.string(),
  name: z.string(),
  description: z.string(),
  goal: z.string(),
  /** What each item's run is asked; `{{name}}` stands for a property of the item. */
  item_prompt: z.string(),
  input_schema: jsonSchema,
  output_schema: jsonSchema,
  output_format: z.enum(['table', 'document']),
  /** Comes with SwissBrain; every user sees it and none can change it. */
  shipped: z.boolean(),
  version: z.number().int().positive(),
  created_at: timestamp,
  updated_at: timestamp,
});
export type ResearchTemplateView = z.infer<typeof researchTemplateView>;

export const researchTemplatePage = pageOf(researchTemplateView);
export const researchTemplateParams = z.object({ id: uuid });
