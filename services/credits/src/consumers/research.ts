import type { ConsumerDefinition } from '@swissbrain/service-kit/consumer';
import type { EventData, EventDefinition } from '@swissbrain/shared-schema/events/envelope';
import {
  type researchCompleted,
  researchItemCompleted,
  researchStarted,
} from '@swissbrain/shared-schema/events/wide-research';
import { closeResearch, holdForResearch, recordItem } from '../operations/bill-research.ts';
import type { HoldPolicy } from '../operations/reserve-for-run.ts';
import { delivery } from './delivery.ts';

/** research.started: the items are held for, on the hold of the run that started it or on one of its own. */
export function holdsForResearch(policy: HoldPolicy): ConsumerDefinition<EventData<typeof researchStarted>> {
  return {
    ...delivery,
    durable: 'research-started',
    event: researchStarted,
    concurrency: 4,
    // Each locks an account, and one transaction locks one account.
    batch: 1,
    async handle(tx, events) {
      for (const { envelope, data } of events) {
        const budget = data.budget_micro === null ? null : BigInt(data.budget_micro);
        const research = {
          ...{ userId: envelope.user_id, researchId: data.research_id, rootRunId: data.run_id },
          ...{ items: data.total_items, budget },
        };
        await holdForResearch(tx, research, policy);
      }
    },
  };
}

/** research.item_completed: an item that has an answer is charged, once. */
export const recordsItems: ConsumerDefinition<EventData<typeof researchItemCompleted>> = {
  ...delivery,
  durable: 'research-item-completed',
  event: researchItemCompleted,
  concurrency: 8,
  // Each may lock an account, and one transaction locks one account.
  batch: 1,
  async handle(tx, events) {
    for (const { envelope, data } of events) {
      await recordItem(tx, {
        ...{ researchId: data.research_id, rootRunId: data.run_id, itemId: data.item_id },
        ...{ itemRunId: data.item_run_id, finishedAt: envelope.time },
      });
    }
  },
};

/** The three ends of a research: a hold of its own is settled when its answered items are recorded. */
export function closesResearch(
  durable: string,
  event: EventDefinition,
): ConsumerDefinition<EventData<typeof researchCompleted>> {
  return {
    ...delivery,
    durable,
    event,
    concurrency: 4,
    batch: 1,
    async handle(tx, events) {
      for (const { data } of events) {
        if (data.run_id !== null) continue;
        await closeResearch(tx, data.research_id, event.type, data.completed_items);
      }
    },
  };
}
