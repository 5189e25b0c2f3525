import { z } from 'zod';
import { uuid } from '../ids.ts';
import { shownCredits } from './agent-runner.ts';
import { timestamp } from './page.ts';

/** Runs made in this time: the last 30 days without it, 366 at most. */
export const usageQuery = z.object({ from: timestamp.optional(), to: timestamp.optional() });
/** Whether the runs below it count, too. */
export const runUsageQuery = z.object({ tree: z.stringbool().default(true) });
/** What models and tools were used, as agent-runner has counted it; credits has the last word about money. */
export const usageView = z.object({
  /** Of runs made in this time; null for the usage of one run. */
  from: timestamp.nullable(),
  to: timestamp.nullable(),
  run_id: uuid.nullable(),
  runs: z.number().int(),
  steps: z.number().int(),
  credits: shownCredits,
  models: z.array(
    z.object({
      model: z.string(),
      calls: z.number().int(),
      /** Four disjoint parts: read fresh, read from and written into the provider's cache, said. */
      input_tokens: z.number().int(),
      cache_read_tokens: z.number().int(),
      cache_write_tokens: z.number().int(),
      output_tokens: z.number().int(),
      credits: shownCredits,
    }),
  ),
  tools: z.array(
    z.object({
      tool: z.string(),
      steps: z.number().int(),
      failed: z.number().int(),
      duration_ms: z.number().int(),
      credits: shownCredits,
    }),
  ),
});
export type UsageView = z.infer<typeof usageView>;
