import type { Engine } from '../agent/engine.ts';
import { heartbeatHolds } from '../operations/heartbeat-holds.ts';
import { isRunLive, reapRuns } from '../operations/reap-runs.ts';
import { type Loop, startLoop } from './loop.ts';

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

/** Ends runs that nobody works on and nobody should, and removes the sandboxes of runs that have ended. */
export function startSweep(engine: Engine, everyMs: number): Loop {
  const { database, driver, log, wallMs } = engine;
  return startLoop('sweep', log, everyMs, async () => {
    for (const { runId, sessionNo } of await reapRuns(database, wallMs))
      await driver.removeSession(runId, sessionNo);
    const removed = await driver.sweep((runId) => isRunLive(database, runId));
    if (removed > 0) log.info({ removed }, 'removed sandboxes of runs that have ended');
  });
}
