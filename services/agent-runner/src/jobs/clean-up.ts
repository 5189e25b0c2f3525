import { type Loop, startLoop } from '@swissbrain/service-kit/loop';
import { counter, gauge } from '@swissbrain/service-kit/metrics';
import type { Platform } from '@swissbrain/service-kit/platform';
import { expireRuns, expireUploads } from '../operations/expire-runs.ts';
import { type RemoveUsers, removeUsers } from '../operations/remove-users.ts';
import { sweepObjects } from '../operations/sweep-objects.ts';

/** Removes users who leave; woken when one asks, and polls for what another process has left. */
export function startRemoval(platform: Platform, deps: RemoveUsers, everyMs: number): Loop {
  const open = gauge(platform.metrics, 'user_deletions_open', 'Users who are being removed', []);
  return startLoop('removal of users', platform.log, everyMs, async () => {
    open.set(await removeUsers(deps));
  });
}

/** Deletes runs past the days of their tier and uploads past theirs, then objects that nothing refers to. */
export function startRetention(
  { metrics, log, clock }: Platform,
  { database, objects }: Pick<RemoveUsers, 'database' | 'objects'>,
  settings: { readonly everyMs: number; readonly graceDays: number; readonly uploadDays: number },
): Loop {
  const runs = counter(metrics, 'runs_expired_total', 'Runs deleted by retention', []);
  const uploads = counter(metrics, 'uploads_expired_total', 'Uploads whose days were over', []);
  const swept = counter(metrics, 'objects_swept_total', 'Objects deleted because nothing refers to them', []);
  const stopping = new AbortController();
  const loop = startLoop('retention', log, settings.everyMs, async () => {
    runs.inc(await expireRuns(database, stopping.signal));
    const { graceDays, uploadDays } = settings;
    uploads.inc(await expireUploads(database, uploadDays, stopping.signal));
    swept.inc(await sweepObjects({ database, objects, clock, graceDays, signal: stopping.signal }));
  });
  return {
    wake: loop.wake,
    stop() {
      stopping.abort();
      return loop.stop();
    },
  };
}
