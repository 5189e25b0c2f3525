import { setTimeout as delay } from 'node:timers/promises';
import { describeError } from '@swissbrain/service-kit/errors';
import type { Platform } from '@swissbrain/service-kit/platform';

/** Work that is found in rows and done again and again, by every replica. */
export interface Reconciler {
  readonly name: string;
  readonly everyMs: number;
  /** One round; true when there is more to do at once. */
  round(): Promise<boolean>;
}

/**
 * Runs a reconciler until the service stops, which waits for the round under way. A failed round is logged and
 * the next one finds the same rows.
 */
export function startReconciler(
  { log, release }: Pick<Platform, 'log' | 'release'>,
  reconciler: Reconciler,
): void {
  const { name, everyMs, round } = reconciler;
  const stopping = new AbortController();
  const once = async (): Promise<boolean> => {
    try {
      return await round();
    } catch (thrown) {
      log.warn({ reconciler: name, reason: describeError(thrown) }, 'round failed, tried again');
      return false;
    }
  };
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      if (await once()) continue;
      await delay(everyMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };
  const running = run();
  release.add(`reconciler ${name}`, () => {
    stopping.abort();
    return running;
  });
}
