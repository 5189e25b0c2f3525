import { type Loop, startLoop } from '@swissbrain/service-kit/loop';
import { counter, gauge } from '@swissbrain/service-kit/metrics';
import type { Platform } from '@swissbrain/service-kit/platform';
import { applyRetention } from '../operations/apply-retention.ts';
import { type RemoveUsers, removeUsers } from '../operations/remove-users.ts';

/** Removes users who leave; woken when one asks, and polls for what another process has left. */
export function startRemoval(platform: Platform, deps: RemoveUsers, everyMs: number): Loop {
  const open = gauge(platform.metrics, 'user_deletions_open', 'Users who are being removed', []);
  return startLoop('removal of users', platform.log, everyMs, async () => {
    open.set(await removeUsers(deps));
  });
}

/** Deletes what is past its days, and again after each pause. */
export function startRetention(
  { metrics, log, clock }: Platform,
  { database, objects }: Pick<RemoveUsers, 'database' | 'objects'>,
  settings: { readonly everyMs: number; readonly graceDays: number; readonly uploadDays: number },
): Loop {
  const runs = counter(metrics, 'runs_expired_total', 'Runs deleted by retention', []);
  const uploads = counter(metrics, 'uploads_expired_total', 'Uploads whose days were over', []);
  const swept = counter(metrics, 'objects_swept_total', 'Objects deleted because nothing refers to them', []);
  const stopping = new AbortController();
  const { everyMs, ...days } = settings;
  const loop = startLoop('retention', log, everyMs, async () => {
    const deleted = await applyRetention({ database, objects, clock, ...days, signal: stopping.signal });
    runs.inc(deleted.runs);
    uploads.inc(deleted.uploads);
    swept.inc(deleted.objects);
  });
  return {
    wake: loop.wake,
    stop() {
      stopping.abort();
      return loop.stop();
    },
  };
}
