import type { JobDefinition, Jobs } from '@swissbrain/service-kit/jobs';
import { uuid } from '@swissbrain/shared-schema/ids';
import { z } from 'zod';
import type { Engine } from '../agent/engine.ts';
import { workOnRun } from '../agent/work-on-run.ts';

const payload = z.object({ run_id: uuid, attempt: z.number().int().nonnegative() });

/** Work on one run. Tried once: what is left undone is offered again from the run's row. */
export const executeRun = {
  queue: 'runs',
  name: 'execute-run',
  payload,
  attempts: 1,
  backoffMs: 1_000,
} satisfies JobDefinition;

/**
 * Runs offered runs. Neither a lost lock nor a stalled job stops one: the lease in Postgres decides who works, and
 * a second worker that is handed the same offer cannot claim it.
 */
export function workOnOffers(jobs: Jobs, engine: Engine, concurrency: number, onEnd: () => void): void {
  jobs.work(executeRun, { concurrency }, async (offer) => {
    try {
      await workOnRun(engine, { runId: offer.run_id, attempt: offer.attempt });
    } catch (error) {
      engine.log.error(
        { err: error, run_id: offer.run_id },
        'work on a run broke off; it goes on when its lease ends',
      );
    } finally {
      onEnd();
    }
  });
}
