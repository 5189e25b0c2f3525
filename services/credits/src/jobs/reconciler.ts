import { startLoop } from '@swissbrain/service-kit/loop';
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
  { name, everyMs, round }: Reconciler,
): void {
  const loop = startLoop(name, log, everyMs, async () => ((await round()) ? 0 : everyMs));
  release.add(`reconciler ${name}`, () => loop.stop());
}
