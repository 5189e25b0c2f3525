import type { Clock } from '@swissbrain/service-kit/clock';
import type { Database } from '@swissbrain/service-kit/database';
import { readKey } from '../storage/object-key.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { referredStatement } from '../store/artifacts.ts';

export interface SweepObjects {
  readonly database: Database;
  readonly objects: ObjectStore;
  readonly clock: Clock;
  /** Whole days after the day an object was stored; at least two, so that no key is judged while it may be written. */
  readonly graceDays: number;
  readonly signal: AbortSignal;
}

const dayMs = 86_400_000;

/**
 * Deletes objects that no row refers to, and what uploads left behind that broke off. It cannot race with an upload: that
 * writes to a key of its own day only, and such a key is not looked at before the grace is over. Returns how many.
 */
export async function sweepObjects(deps: SweepObjects): Promise<number> {
  const { database, objects, clock, graceDays, signal } = deps;
  const before = new Date(clock.now().getTime() - graceDays * dayMs);
  const oldest = before.toISOString().slice(0, 10);
  let deleted = await objects.removeDrafts(before);
  let after: string | undefined;
  do {
    const page = await objects.list(after);
    const old = page.objects.map(({ key }) => key).filter((key) => (readKey(key)?.day ?? oldest) < oldest);
    if (old.length > 0) {
      const referred = await database.serviceStatement(referredStatement(old));
      const used = new Set(referred.map((row) => row.storage_key));
      for (const key of old) {
        if (signal.aborted) return deleted;
        if (used.has(key)) continue;
        await objects.delete(key);
        deleted += 1;
      }
    }
    after = page.next ?? undefined;
  } while (after !== undefined && !signal.aborted);
  return deleted;
}
