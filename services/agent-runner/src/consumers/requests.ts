import type { ConsumerDefinition } from '@swissbrain/service-kit/consumer';
import type { EventData } from '@swissbrain/shared-schema/events/envelope';
import { scheduleFired } from '@swissbrain/shared-schema/events/scheduler';
import { researchItemCancelled, researchItemRequested } from '@swissbrain/shared-schema/events/wide-research';
import type { PrepareDeps } from '../operations/prepare-run.ts';
import type { RunWakes } from '../operations/questions.ts';
import { cancelRequestedRun, startRequestedRun } from '../operations/start-requested.ts';

const delivery = {
  concurrency: 2,
  batch: 10,
  ackWaitMs: 10_000,
  backoffMs: [200, 1_000, 5_000, 15_000],
  maxAttempts: 10,
} as const;

/** What an item asks for, in words: its input is data, and the answer has a shape. */
function goalOf(item: EventData<typeof researchItemRequested>): string {
  const parts = [item.goal, `Input:\n${JSON.stringify(item.input, null, 2)}`];
  parts.push(`Answer with JSON alone, of this JSON Schema:\n${JSON.stringify(item.output_schema, null, 2)}`);
  return parts.join('\n\n').slice(0, 20_000);
}

/** Runs that other services ask for, each under the id that they have chosen: asking twice starts one. */
export function requestConsumers(deps: PrepareDeps, wakes: RunWakes) {
  const fired: ConsumerDefinition<EventData<typeof scheduleFired>> = {
    durable: 'start-scheduled-run',
    event: scheduleFired,
    ...delivery,
    async handle(tx, events) {
      for (const { envelope, data } of events) {
        if (data.target_kind !== 'run') continue;
        const userId = envelope.user_id;
        const request = { userId, title: data.name, body: data.target, parentRunId: null };
        for (const id of data.cancel_target_ids)
          await cancelRequestedRun(tx, { ...request, id }, deps, wakes);
        await startRequestedRun(tx, { ...request, id: data.target_id }, deps, wakes);
      }
    },
  };
  const requested: ConsumerDefinition<EventData<typeof researchItemRequested>> = {
    durable: 'start-research-item',
    event: researchItemRequested,
    ...delivery,
    async handle(tx, events) {
      for (const { envelope, data } of events) {
        const body = { goal: goalOf(data), mode: 'research', title: data.title.slice(0, 200) || undefined };
        const request = { id: data.item_run_id, userId: envelope.user_id, title: data.title, body };
        await startRequestedRun(tx, { ...request, parentRunId: data.run_id }, deps, wakes);
      }
    },
  };
  const cancelled: ConsumerDefinition<EventData<typeof researchItemCancelled>> = {
    durable: 'cancel-research-item',
    event: researchItemCancelled,
    ...delivery,
    async handle(tx, events) {
      for (const { envelope, data } of events) {
        const request = {
          id: data.item_run_id,
          userId: envelope.user_id,
          title: 'Cancelled item',
          body: null,
        };
        await cancelRequestedRun(tx, { ...request, parentRunId: data.run_id }, deps, wakes);
      }
    },
  };
  return [fired, requested, cancelled];
}
