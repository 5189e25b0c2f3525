import { setTimeout as delay } from 'node:timers/promises';
import { type Loop, startLoop } from '@swissbrain/service-kit/loop';
import type { Engine } from '../agent/engine.ts';
import { heartbeatHolds } from '../operations/heartbeat-holds.ts';
import { expireQuestions, type RunWakes } from '../operations/questions.ts';
import { isSessionLive, reapRuns } from '../operations/reap-runs.ts';
import { cancelOrphans, endCancelled, findUnheededCancels } from '../operations/request-cancel.ts';
import { wakeParents } from '../operations/start-child.ts';

const soonestHeartbeatMs = 1_000;

/** Renews the leases of this process three times within their length. */
export function startLeaseRenewal(engine: Engine): Loop {
  return startLoop('leases', engine.log, Math.floor(engine.leaseMs / 3), () => engine.live.renew());
}

/** Renews the holds of all live runs every third of the shortest time to live among them, and at least so often. */
export function startHoldHeartbeat(engine: Engine, atLeastEveryMs: number): Loop {
  return startLoop('holds', engine.log, atLeastEveryMs, async () => {
    const shortest = await heartbeatHolds(engine.database, engine.rpc);
    if (shortest === null) return atLeastEveryMs;
    return Math.min(atLeastEveryMs, Math.max(soonestHeartbeatMs, (shortest * 1_000) / 3));
  });
}

/**
 * Ends runs that nobody works on and nobody should, and questions whose time is up, and removes the sandboxes that no run
 * has any more.
 */
export function startSweep(engine: Engine, everyMs: number, wakes: RunWakes): Loop {
  const { database, driver, log, wallMs, idleMs } = engine;
  return startLoop('sweep', log, everyMs, async () => {
    for (const { runId, sessionNo } of await reapRuns(database, { wallMs, idleMs }))
      await driver.removeSession(runId, sessionNo);
    await expireQuestions(database, wakes);
    await cancelOrphans(database, wakes);
    if ((await wakeParents(database)) > 0) wakes.dispatcher();
    const removed = await driver.sweep((runId, sessionNo) => isSessionLive(database, runId, sessionNo));
    if (removed > 0) log.info({ removed }, 'removed sandboxes of runs that have ended');
  });
}

/**
 * Ends cancels on their way that their worker has not ended: it is dead, cut off, or busy with something that does not
 * stop. It is given three fifths of the time a cancel may take; then the sandbox goes and the run is closed, also when its
 * sandbox cannot be reached: that is swept when it can. Every write of the worker has been refused since the request.
 */
export function startCancels(engine: Engine, withinMs: number): Loop {
  const { database, driver, live, log } = engine;
  return startLoop('cancels', log, Math.max(50, withinMs / 10), async () => {
    const unheeded = await findUnheededCancels(database, withinMs * 0.6);
    await Promise.all(
      unheeded.map(async ({ runId, sessionNo }) => {
        live.stop(runId, 'cancelled');
        const removed = driver.removeSession(runId, sessionNo).catch((error: unknown) => {
          log.warn({ err: error, run_id: runId }, 'the sandbox of a cancelled run cannot be removed yet');
        });
        await Promise.race([removed, delay(withinMs * 0.2, undefined, { ref: false })]);
        await endCancelled(database, runId);
      }),
    );
  });
}
