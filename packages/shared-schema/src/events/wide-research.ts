import { z } from 'zod';
import { microAmount } from '../amount.ts';
import { uuid } from '../ids.ts';
import { defineEvent } from './envelope.ts';

const failure = z.object({ code: z.string(), message: z.string() });
const count = z.number().int().nonnegative();

/** Events about one research; their order is the research's own sequence. */
const researchEvent = <Shape extends z.ZodRawShape>(type: `${string}.${string}`, shape: Shape) =>
  defineEvent({
    type,
    version: 1,
    source: 'wide-research',
    aggregate: 'research',
    data: z.object({
      research_id: uuid,
      /**
       * The root of the run that started this research, whose hold its items draw on; null when a user or schedule did: it has
       * a hold of its own then.
       */
      run_id: uuid.nullable(),
      ...shape,
    }),
  });

export const researchStarted = researchEvent('research.started', {
  title: z.string(),
  /** Null while the items are still being found. */
  total_items: count.nullable(),
  max_parallel: z.number().int().positive().nullable(),
  /** The most the user will spend on this research. */
  budget_micro: microAmount.nullable(),
});

const item = {
  item_id: uuid,
  item_index: count,
  /** The run that works on the item, chosen by wide-research, so that asking twice starts one run. */
  item_run_id: uuid,
  attempt: z.number().int().positive(),
};
/** Asks agent-runner for the run of one item. */
export const researchItemRequested = researchEvent('research.item_requested', {
  ...item,
  title: z.string(),
  goal: z.string(),
  input: z.record(z.string(), z.json()),
  output_schema: z.record(z.string(), z.json()),
});
/** Asks agent-runner to end the run of one item. */
export const researchItemCancelled = researchEvent('research.item_cancelled', item);
/** An item has an answer. It is billed once, by item id, at the price of `wide_research.item`. */
export const researchItemCompleted = researchEvent('research.item_completed', {
  item_id: uuid,
  item_index: count,
  item_run_id: uuid.nullable(),
});

const counters = {
  total_items: count,
  completed_items: count,
  failed_items: count,
  cancelled_items: count,
};
export const researchProgressed = researchEvent('research.progressed', { ...counters, open_items: count });

const closing = { ...counters, error: failure.nullable() };
export const researchCompleted = researchEvent('research.completed', closing);
export const researchFailed = researchEvent('research.failed', closing);
export const researchCancelled = researchEvent('research.cancelled', closing);

export const wideResearchEvents = [
  researchStarted,
  researchItemRequested,
  researchItemCancelled,
  researchItemCompleted,
  researchProgressed,
  researchCompleted,
  researchFailed,
  researchCancelled,
] as const;
