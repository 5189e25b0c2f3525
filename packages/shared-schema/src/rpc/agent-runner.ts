import { z } from 'zod';
import { usageLine } from '../events/agent-runner.ts';
import { playbookSchema } from '../http/agent-runner.ts';
import { uuid } from '../ids.ts';
import { defineRpc } from './definition.ts';

/** The billable steps of a run in step order, for the settlement reconciler. */
export const listBillableSteps = defineRpc({
  service: 'agent-runner',
  method: 'billable_steps',
  request: z.object({ run_id: uuid, after_index: z.number().int(), limit: z.number().int().min(1).max(500) }),
  response: z.object({
    status: z.string().nullable(),
    steps: z.array(
      z.object({
        step_id: uuid,
        step_index: z.number().int(),
        usage: z.array(usageLine),
        finished_at: z.iso.datetime(),
      }),
    ),
  }),
  timeoutMs: 5_000,
});

/** What a run would set out with: of a playbook the most it may use, of a goal a start. Nothing is made. */
export const estimateRun = defineRpc({
  service: 'agent-runner',
  method: 'estimate_run',
  request: z.object({ playbook: playbookSchema.optional(), goal: z.string().min(1).max(20_000).optional() }),
  response: z.object({ usage: z.array(usageLine) }),
  timeoutMs: 5_000,
});

/** What has become of runs, for the reconciler that compares them with their holds; unknown ones are left out. */
export const readRunStates = defineRpc({
  service: 'agent-runner',
  method: 'run_states',
  request: z.object({ run_ids: z.array(uuid).min(1).max(500) }),
  response: z.object({
    runs: z.array(
      z.object({
        run_id: uuid,
        status: z.string(),
        billable_steps: z.number().int().nonnegative(),
        /** By the database's clock; null while the run lives. */
        ended_seconds_ago: z.number().nonnegative().nullable(),
      }),
    ),
  }),
  timeoutMs: 5_000,
});
