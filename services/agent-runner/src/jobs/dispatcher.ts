import type { Jobs } from '@swissbrain/service-kit/jobs';
import { type Loop, startLoop } from '@swissbrain/service-kit/loop';
import type { Engine } from '../agent/engine.ts';
import { handOver } from '../operations/claims.ts';
import { dispatchRuns } from '../operations/dispatch-runs.ts';
import { executeRun } from './execute-run.ts';

/** An offer that no worker took for so long is made again. */
const ticketMs = 15_000;

/**
 * Hands out runs from the rows, as many as this process has free places: the queue never holds a backlog, and rank
 * decides at the last moment. Woken when a run gets its hold or a place gets free; polls for what it missed.
 */
export function startDispatcher(
  engine: Engine,
  jobs: Jobs,
  settings: { readonly places: number; readonly pollMs: number },
): Loop {
  const { database, live, owner, log } = engine;
  return startLoop('dispatcher', log, settings.pollMs, async () => {
    const slots = settings.places - live.size;
    if (slots <= 0) return;
    const offers = await dispatchRuns(database, { owner, slots, ticketMs });
    await Promise.all(
      offers.map(async (offer) => {
        try {
          // Without an id of its own: an offer that is made twice is claimed once.
          await jobs.add(executeRun, { run_id: offer.runId, attempt: offer.attempt });
        } catch (error) {
          await handOver(database, offer);
          throw error;
        }
      }),
    );
  });
}
