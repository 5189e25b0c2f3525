import type { Database } from '@swissbrain/service-kit/database';
import { type RunState, selectRunStates } from '../store/run-states.ts';

/** What has become of these runs, whoever owns them; unknown ones are left out. */
export function listRunStates(database: Database, ids: readonly string[]): Promise<RunState[]> {
  return database.withService((tx) => selectRunStates(tx, ids));
}
