import type { ConsumerDefinition } from '@swissbrain/service-kit/consumer';
import type { Gather } from '@swissbrain/service-kit/gather';
import {
  type runCompleted,
  runRequested,
  type stepCompleted,
} from '@swissbrain/shared-schema/events/agent-runner';
import type { EventData, EventDefinition } from '@swissbrain/shared-schema/events/envelope';
import { closeRun } from '../operations/close-run.ts';
import { recordUsage } from '../operations/record-usage.ts';
import { type HoldPolicy, reserveForRun } from '../operations/reserve-for-run.ts';
import { delivery } from './delivery.ts';

/** run.requested: a hold for a root run; what is below one draws on it. */
export function reservesRun(policy: HoldPolicy): ConsumerDefinition<EventData<typeof runRequested>> {
  return {
    ...delivery,
    durable: 'run-requested',
    event: runRequested,
    concurrency: 8,
    // Each locks an account, and one transaction locks one account.
    batch: 1,
    async handle(tx, events) {
      for (const { envelope, data } of events) {
        if (data.run_id !== data.root_run_id) continue;
        const budget = data.budget_micro === null ? null : BigInt(data.budget_micro);
        const run = { userId: envelope.user_id, runId: data.run_id, estimate: data.estimate, budget };
        await reserveForRun(tx, run, policy);
      }
    },
  };
}

/** step.completed and step.failed: what the step used is charged, whether it succeeded or not. */
export function recordsSteps(
  durable: string,
  event: EventDefinition,
  gather: Gather,
): ConsumerDefinition<Pick<EventData<typeof stepCompleted>, 'run_id' | 'root_run_id' | 'step_id' | 'usage'>> {
  return {
    ...delivery,
    durable,
    event,
    // One transaction after the other: two would wait for each other at the hold of the same run.
    concurrency: 100,
    batch: 100,
    // Each commit takes the disk from the steps themselves, and nobody waits for a charge before the end of the run.
    gather,
    async handle(tx, events) {
      await recordUsage(
        tx,
        events.map(({ envelope, data }) => ({
          rootRunId: data.root_run_id,
          runId: data.run_id,
          stepId: data.step_id,
          usage: data.usage,
          finishedAt: envelope.time,
        })),
      );
    },
  };
}

/** The four ends of a run: a root run's hold is settled when its steps are recorded, which those gathered then are. */
export function closesRun(
  durable: string,
  event: EventDefinition,
  gathered: Gather,
): ConsumerDefinition<EventData<typeof runCompleted>> {
  return {
    ...delivery,
    durable,
    event,
    concurrency: 4,
    batch: 1,
    async handle(tx, events) {
      for (const { data } of events) {
        if (data.run_id !== data.root_run_id) continue;
        const status = await closeRun(tx, {
          runId: data.run_id,
          event: event.type,
          billableSteps: data.billable_steps,
          stepIds: data.billable_step_ids,
        });
        if (status === 'incomplete') gathered.end();
      }
    },
  };
}
